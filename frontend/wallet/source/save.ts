// Saving a file to the phone: a link to bytes that the page holds, pressed for the person.
const STAYS_MS = 30_000;

/** Offer bytes as a file with a name. */
export function saveFile(bytes: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(bytes);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), STAYS_MS);
}
