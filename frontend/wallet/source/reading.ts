// Reading what a page is about: until it is here the page says so, and why when it cannot be had.
import { ref, type Ref } from "vue";
import { wordsOf } from "./tell";

export interface Reading {
  /** Why there is nothing to show; empty while it is being read. */
  why: Ref<string>;
  again: () => Promise<void>;
}

/** Read once, and whenever the person asks for it again. */
export function reading(work: () => Promise<unknown>): Reading {
  const why = ref("");
  async function again(): Promise<void> {
    why.value = "";
    try {
      await work();
    } catch (fault) {
      why.value = wordsOf(fault);
    }
  }
  return { why, again };
}
