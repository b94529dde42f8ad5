// Covers: the drawn ones, and a person's own pictures, which the server keeps.
import { reactive } from "vue";
import { ask } from "./api";
import type { CoverList, CoverShown } from "./schema";
import { session } from "./session";

/** The envelope is this wide and this high; the server keeps a picture at just this size. */
export const WIDTH = 600;
export const HEIGHT = 800;
export const COVERS = ["classic", "plum", "wave", "lantern"] as const;

interface Own {
  covers: CoverShown[];
  isRead: boolean;
}

export const own = reactive<Own>({ covers: [], isRead: false });
const path = () => `users/${session.userId}/covers`;

/** Read which pictures this person has. */
export async function readCovers(): Promise<void> {
  own.covers = (await ask<CoverList>("GET", path())).covers;
  own.isRead = true;
}

/** Keep a picture as a cover; the same picture is the same cover. */
export async function addCover(picture: Blob): Promise<CoverShown> {
  const made = await ask<CoverShown>("POST", path(), { file: picture });
  if (!own.covers.some((each) => each.id === made.id)) own.covers.unshift(made);
  return made;
}

/** Forget a cover: packets that have it wear the ordinary one from now on. */
export async function removeCover(id: string): Promise<void> {
  await ask("DELETE", `${path()}/${id}`);
  own.covers = own.covers.filter((each) => each.id !== id);
}
