// Where in the wallet a person is: the address after the hash, so that the back button works.
//
// Each step writes its number beside the address: the way back exists if it is above nought.
import { computed, ref } from "vue";

interface Step {
  step: number;
}

/** A sheet above a page: a step of its own, so that going back closes it first. */
interface Sheet extends Step {
  close: () => void;
}

const hash = ref(location.hash);
const stepOf = (): number => (history.state as Step | null)?.step ?? -1;
const sheets: Sheet[] = [];
let last = Math.max(0, stepOf());
/** A way back that was asked for and has not been gone yet: whoever goes on waits for it. */
let leaving: Promise<void> | null = null;

/** Take in where we are now; a plain link has written no number yet. */
function arrive(): void {
  if (stepOf() < 0) history.replaceState({ step: last + 1 }, "");
  last = stepOf();
  hash.value = location.hash;
  while ((sheets[sheets.length - 1]?.step ?? 0) > last) sheets.pop()?.close();
}
if (stepOf() < 0) history.replaceState({ step: 0 }, "");
window.addEventListener("hashchange", arrive);
window.addEventListener("popstate", () => stepOf() >= 0 && arrive());

/** The parts of the address: "#/packet/rp_1" is ["packet", "rp_1"]; none is the chat. */
export const place = computed<[string, ...string[]]>(() => {
  const path = hash.value.replace(/^#\/?/, "").split("?")[0] ?? "";
  const [first, ...rest] = path.split("/").map(decodeURIComponent);
  return [first || "chat", ...rest];
});

/** Do it now, or when the step back that is under way has been gone. */
function after(work: () => void): void {
  if (leaving) void leaving.then(work);
  else work();
}

/** Go somewhere; the back button returns. */
export function go(path: string): void {
  after(() => {
    location.hash = `#/${path}`;
  });
}

/** Go somewhere instead of here: the back button does not come by again. */
export function goInstead(path: string): void {
  after(() => {
    history.replaceState({ step: last }, "", `#/${path}`);
    hash.value = location.hash;
  });
}

/** Note that a sheet has opened above the page; returns what notes that it has closed. */
export function raise(close: () => void): () => void {
  last += 1;
  history.pushState({ step: last }, "");
  const sheet = { step: last, close };
  sheets.push(sheet);
  return () => after(() => lower(sheet));
}

/** Take the step of a sheet back that was closed by other than the back button. */
function lower(sheet: Sheet): void {
  const place = sheets.indexOf(sheet);
  if (place < 0) return;
  sheets.splice(place, 1);
  if (stepOf() !== sheet.step) return;
  leaving = new Promise<void>((gone) => {
    window.addEventListener("popstate", () => gone(), { once: true });
  }).then(() => {
    leaving = null;
  });
  history.back();
}

/** Go back, or to the first page when this one was opened by itself. */
export function goBack(): void {
  if (stepOf() > 0) history.back();
  else goInstead("");
}
