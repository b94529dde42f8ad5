// What the page says to the person in passing: one line at the bottom, read aloud by readers.
import { ref } from "vue";
import { Offline, Refused } from "./api";
import { say } from "./words";

export const told = ref("");
const STAYS_MS = 5_000;
let timer = 0;

/** Say something in passing. */
export function tell(words: string): void {
  told.value = words;
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    told.value = "";
  }, STAYS_MS);
}

/** The words for what went wrong; a fault of our own is not hidden behind them. */
export function wordsOf(fault: unknown): string {
  if (fault instanceof Refused) return fault.words;
  if (fault instanceof Offline) return say("no_answer");
  throw fault;
}

/** Do something for the person; say in words why it was not done. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (fault) {
    tell(wordsOf(fault));
    return undefined;
  }
}
