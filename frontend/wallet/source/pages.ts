// Lists that come in pages, the newest first: what is here, and how to get more of it.
import { reactive } from "vue";
import { ask } from "./api";
import { attempt } from "./tell";

export interface Pages<Row> {
  rows: Row[];
  isRead: boolean;
  isBusy: boolean;
  cursor: string | null;
}

/** Make a list of one path; `name` is the field of an answer that holds its rows. */
export function pages<Row>(path: string, name: string): { list: Pages<Row>; more: () => Promise<void> } {
  const list = reactive({ rows: [], isRead: false, isBusy: false, cursor: null }) as Pages<Row>;
  async function more(): Promise<void> {
    if (list.isBusy || (list.isRead && list.cursor === null)) return;
    list.isBusy = true;
    await attempt(async () => {
      const sign = path.includes("?") ? "&" : "?";
      const after = list.cursor ? `&cursor=${list.cursor}` : "";
      const page = await ask<Record<string, unknown>>("GET", `${path}${sign}limit=30${after}`);
      list.rows.push(...(page[name] as Row[]));
      list.cursor = page.next_cursor as string | null;
      list.isRead = true;
    });
    list.isBusy = false;
  }
  return { list, more };
}
