// Sheets: what lies above a page for a moment. The back button of the phone closes it first.
import { onBeforeUnmount, watch } from "vue";
import { raise } from "./route";

/** Let the back button close a sheet for as long as it is open. */
export function closeOnBack(isOpen: () => boolean, close: () => void): void {
  let lower: (() => void) | null = null;
  const put = (isUp: boolean): void => {
    lower?.();
    lower = isUp ? raise(close) : null;
  };
  watch(isOpen, put, { immediate: true });
  onBeforeUnmount(() => put(false));
}
