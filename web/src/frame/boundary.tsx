// Shows a sentence where a view fails, so that the rest of the page stays usable.

import { Component, type ComponentChildren } from "preact";
import { sentenceOf } from "../words";

interface Props {
  title: string;
  children: ComponentChildren;
}

export class Boundary extends Component<Props, { message: string }> {
  override state = { message: "" };

  static override getDerivedStateFromError(error: unknown): { message: string } {
    return { message: sentenceOf(error) };
  }

  override render() {
    if (!this.state.message) return this.props.children;
    return (
      <p role="alert" class="problem">
        “{this.props.title}” cannot be shown: {this.state.message}
      </p>
    );
  }
}
