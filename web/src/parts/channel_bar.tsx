// How channels are drawn: which, in which colour, in which window and gamma.

import type { JSX } from "preact";
import type { Channel, Page } from "../data";
import { channels, firstChannels, type ChannelView } from "../state";
import { hasPictures } from "./pictures/sheets";

/** Colours that remain apart for most readers with a colour vision deficiency; the first is for one channel alone. */
export const CHANNEL_COLOURS: [string, string][] = [
  ["#ffffff", "grey"],
  ["#ff1a1a", "red"],
  ["#19e619", "green"],
  ["#4059ff", "blue"],
  ["#ff00ff", "magenta"],
  ["#00ffff", "cyan"],
  ["#ffd000", "yellow"],
  ["#ff8c1a", "orange"],
];

function change(place: number, changes: Partial<ChannelView>): void {
  channels.value = channels.value.map((view, other) => (other === place ? { ...view, ...changes } : view));
}

function alone(place: number): void {
  channels.value = channels.value.map((view, other) => {
    return other === place ? { ...view, isActive: true, colour: "#ffffff" } : { ...view, isActive: false };
  });
}

/** The value of the image that a value of the thumbnail stands for. */
export function valueOf({ start, end }: Channel, level: number): number {
  return start + (level / 255) * (end - start);
}

function shown(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString("en");
}

interface SliderProps {
  label: string;
  text: string;
  range: [number, number, number];
  value: number;
  onChange: (value: number) => void;
}

function Slider({ label, text, range: [min, max, step], value, onChange }: SliderProps): JSX.Element {
  return (
    <label class="slider">
      <span>{label}</span>
      <input type="range" {...{ min, max, step, value }} aria-valuetext={text} onInput={(event) => onChange(Number(event.currentTarget.value))} />
      <output>{text}</output>
    </label>
  );
}

function ChannelControls({ channel, view, place }: { channel: Channel; view: ChannelView; place: number }): JSX.Element {
  const isKnown = CHANNEL_COLOURS.some(([colour]) => colour === view.colour.toLowerCase());
  return (
    <fieldset class="channel">
      <legend>{channel.name}</legend>
      <label>
        Colour{" "}
        <select value={view.colour.toLowerCase()} onChange={(event) => change(place, { colour: event.currentTarget.value })}>
          {!isKnown && <option value={view.colour.toLowerCase()}>as given</option>}
          {CHANNEL_COLOURS.map(([colour, name]) => (
            <option key={colour} value={colour}>{name}</option>
          ))}
        </select>
      </label>
      <Slider label="Black at" text={shown(valueOf(channel, view.low))} range={[0, 254, 1]} value={view.low}
        onChange={(low) => change(place, { low, high: Math.max(view.high, low + 1) })} />
      <Slider label="White at" text={shown(valueOf(channel, view.high))} range={[1, 255, 1]} value={view.high}
        onChange={(high) => change(place, { high, low: Math.min(view.low, high - 1) })} />
      <Slider label="Gamma" text={view.gamma.toFixed(2)} range={[0.2, 3, 0.05]} value={view.gamma}
        onChange={(gamma) => change(place, { gamma })} />
      <button type="button" onClick={() => alone(place)}>Only this, in grey</button>
    </fieldset>
  );
}

export function ChannelBar({ page }: { page: Page }): JSX.Element | null {
  if (!hasPictures(page) || page.channels.length === 0) return null;
  return (
    <div class="channel-bar" role="group" aria-label="Channels">
      {page.channels.map((channel, place) => (
        <label key={place} class="channel-toggle">
          <input type="checkbox" checked={channels.value[place].isActive}
            onChange={(event) => change(place, { isActive: event.currentTarget.checked })} />
          <span class="swatch" style={{ background: channels.value[place].colour }} />
          {channel.name}
        </label>
      ))}
      <details>
        <summary>Colours and windows</summary>
        <div class="channels">
          {page.channels.map((channel, place) => (
            <ChannelControls key={place} {...{ channel, place }} view={channels.value[place]} />
          ))}
        </div>
      </details>
      <button type="button" onClick={() => (channels.value = firstChannels(page))}>Reset</button>
    </div>
  );
}
