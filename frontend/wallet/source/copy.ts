// Copying a text: by the phone's clipboard, or from the field that shows it where there is none.

/** Copy a text; false when the person has to do it by hand, for which it is marked. */
export async function copy(text: string, shown: HTMLInputElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // An old WebView, or a page that came without encryption, has no clipboard.
    shown?.select();
    return document.execCommand("copy");
  }
}
