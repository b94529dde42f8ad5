// Marks: moments of this page for whoever measures it (User Timing), named by place and id. No sum,
// no name and no word of a person is in one; `lingqian bench journey` reads them.
import { nextTick } from "vue";

/** Mark this moment for who observes it; nothing is kept, so a page may live for weeks. */
export function mark(name: string): void {
  performance.mark(`lq:${name}`);
  performance.clearMarks(`lq:${name}`);
}

/** Mark the moment at which what has just been changed stands on the screen. */
export async function markDrawn(name: string): Promise<void> {
  await nextTick();
  // The next frame draws it; a task after that frame finds it drawn.
  requestAnimationFrame(() => setTimeout(() => mark(name)));
}
