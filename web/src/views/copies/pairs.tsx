// Pairs of samples that show the same place or look alike, a page at a time.

import type { JSX } from "preact";
import { useLayoutEffect, useMemo } from "preact/hooks";
import type { Page, Pair } from "../../data";
import { ChannelBar } from "../../parts/channel_bar";
import { factsOf, idsOf } from "../../parts/facts";
import { isTyping, keyOf } from "../../parts/keys";
import { useLoaded } from "../../parts/loaded";
import { Pages } from "../../parts/pages";
import { judgePair, pairVerdicts, verdictOf, type PairVerdict } from "../../relabel";
import { head } from "../../state";
import { exportPairs } from "../relabelling/files";
import { Kinds } from "./kinds";
import { PairCard, type Member } from "./pair_card";
import { PAIR_ORDERS, current, kind, laying, orderedPairs, pairOrder, shownPairs, type Laying, type PairOrder } from "./shown";
import { usePairSide } from "./side";

const A_PAGE = 12;
const LAYINGS: Record<Laying, { title: string; key: string }> = {
  beside: { title: "Side by side", key: "s" },
  over: { title: "Laid over", key: "o" },
  flicker: { title: "Flicker", key: "f" },
};

function Tools({ pairs }: { pairs: Pair[] }): JSX.Element {
  const judged = pairs.filter(verdictOf).length;
  return (
    <div class="tools">
      <div class="tools" role="group" aria-label="How the current pair is shown">
        {(Object.keys(LAYINGS) as Laying[]).map((name) => (
          <button key={name} type="button" aria-pressed={laying.value === name} aria-keyshortcuts={LAYINGS[name].key} onClick={() => (laying.value = name)}>
            {LAYINGS[name].title} <kbd aria-hidden="true">{LAYINGS[name].key}</kbd>
          </button>
        ))}
      </div>
      <OrderChoice />
      <span role="status">{judged} of {pairs.length.toLocaleString("en")} judged</span>
      <button type="button" disabled={pairVerdicts.value.length === 0} onClick={exportPairs}>Export judged pairs</button>
    </div>
  );
}

function OrderChoice(): JSX.Element {
  const sort = (order: PairOrder): void => {
    pairOrder.value = order;
    current.value = 0;
  };
  return (
    <label>
      Order{" "}
      <select value={pairOrder.value} onChange={(event) => sort(event.currentTarget.value as PairOrder)}>
        {Object.entries(PAIR_ORDERS).map(([name, title]) => <option key={name} value={name}>{title}</option>)}
      </select>
    </label>
  );
}

function showKind(name: string | null): void {
  kind.value = name;
  current.value = 0;
}

/** Keys of the whole part: along the pairs, judge the current one, lay it over. */
function usePairKeys(n: number, onVerdict: (verdict: PairVerdict["verdict"]) => void): void {
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (isTyping(event) || document.querySelector("dialog[open]")) return;
      const actions: Record<string, () => void> = {
        ArrowDown: () => (current.value = Math.min(current.value + 1, n - 1)),
        ArrowUp: () => (current.value = Math.max(current.value - 1, 0)),
        m: () => onVerdict("copies"),
        n: () => onVerdict("not copies"),
        ...Object.fromEntries((Object.keys(LAYINGS) as Laying[]).map((name) => [LAYINGS[name].key, () => (laying.value = name)])),
      };
      const action = actions[keyOf(event)];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}

async function membersOf(page: Page, pairs: Pair[]): Promise<[Member, Member][]> {
  const facts = await factsOf(page, head.value);
  const ids = await idsOf(page, pairs.flatMap(({ a, b }) => [a, b]));
  return pairs.map(({ a, b }, place) => [
    { id: ids[2 * place], label: facts.label(a) },
    { id: ids[2 * place + 1], label: facts.label(b) },
  ]);
}

const UNKNOWN: [Member, Member] = [{ id: "", label: "" }, { id: "", label: "" }];

export function Pairs({ page, pairs }: { page: Page; pairs: Pair[] }): JSX.Element {
  const facts = useLoaded(() => factsOf(page, head.value), [page, head.value]).value;
  const shown = useMemo(
    () => orderedPairs(shownPairs(pairs, kind.value), pairOrder.value, (row) => facts?.label(row) ?? ""),
    [pairs, kind.value, pairOrder.value, facts],
  );
  const start = Math.floor(current.value / A_PAGE) * A_PAGE;
  const onPage = useMemo(() => shown.slice(start, start + A_PAGE), [shown, start]);
  const members = useLoaded(async () => ({ onPage, all: await membersOf(page, onPage) }), [page, onPage]).value;
  const side = usePairSide();
  const judgeAt = (place: number, verdict: PairVerdict["verdict"]): void => {
    const { a, b, finding } = shown[place];
    const both = members?.onPage === onPage ? members.all[place - start] : undefined;
    if (both) judgePair({ a, b, ids: [both[0].id, both[1].id], finding, verdict, at: new Date().toISOString() });
  };
  usePairKeys(shown.length, (verdict) => judgeAt(current.value, verdict));
  return (
    <>
      <Kinds label="Kinds of pairs" found={pairs} shown={kind.value} onShow={showKind} />
      <Tools pairs={shown} />
      <p class="quiet">
        <kbd>↑</kbd> <kbd>↓</kbd> move between pairs, <kbd>m</kbd> marks the current one as really copies, <kbd>n</kbd> as not
        copies. The outline marks the place that both samples show.
      </p>
      <ChannelBar page={page} />
      <ol class="pair-cards" start={start + 1}>
        {onPage.map((pair, place) => (
          <PairCard key={start + place} {...{ page, pair, side }} laying={laying.value}
            members={(members?.onPage === onPage && members.all[place]) || UNKNOWN}
            isCurrent={current.value === start + place}
            onEnter={() => (current.value = start + place)}
            onVerdict={(verdict) => judgeAt(start + place, verdict)} />
        ))}
      </ol>
      <Pages name="Pages of pairs" start={start} size={A_PAGE} total={shown.length} onGo={(first) => (current.value = first)} />
    </>
  );
}
