// Questions of REFORMS: answers that the run knows, and lines for those that a person has to answer.

import type { JSX } from "preact";
import type { Page, Question } from "../../data";
import { recall, remember } from "../../kept";
import { Section } from "./section";

function Open({ page, question }: { page: Page; question: string }): JSX.Element {
  const key = `answer:${page.digest}:${question}`;
  return (
    <label class="open-question">
      <span>{question}</span>
      <textarea rows={2} defaultValue={recall(key) ?? ""} onChange={(event) => remember(key, event.currentTarget.value.trim())} />
    </label>
  );
}

function Answered({ questions }: { questions: Question[] }): JSX.Element {
  return (
    <dl class="questions">
      {questions.map(({ question, answer }) => (
        <div key={question}><dt>{question}</dt><dd>{answer}</dd></div>
      ))}
    </dl>
  );
}

export function Questions({ page }: { page: Page }): JSX.Element | null {
  const { questions } = page.overview;
  const answered = questions.filter(({ answer }) => answer !== null);
  const open = questions.filter(({ answer }) => answer === null);
  if (questions.length === 0) return null;
  return (
    <Section title="Questions that a report answers">
      <p class="quiet">From REFORMS, the consensus checklist for science that uses machine learning.</p>
      {answered.length > 0 && <Answered questions={answered} />}
      {open.length > 0 && (
        <>
          <h3>For you to answer</h3>
          <p class="quiet screen-only">The run cannot know these. What you write here stays in this browser and is printed.</p>
          {open.map(({ question }) => <Open key={question} page={page} question={question} />)}
        </>
      )}
    </Section>
  );
}
