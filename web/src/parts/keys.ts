// Keys that work anywhere in a view.

/** Whether a key belongs to a field, to another control that has used it, or to the browser. */
export function isTyping(event: KeyboardEvent): boolean {
  const isField = event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]") !== null;
  return isField || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey;
}

/** The key, whether or not capitals are locked. */
export function keyOf({ key }: KeyboardEvent): string {
  return key.length === 1 ? key.toLowerCase() : key;
}
