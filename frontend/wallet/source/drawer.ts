// The browser's own database, for what must stay on the device: one drawer, values by name.
const NAME = "lingqian";
const DRAWER = "kept";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(DRAWER);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function act<T>(
  mode: IDBTransactionMode, work: (drawer: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(DRAWER, mode);
      const asked = work(transaction.objectStore(DRAWER));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** Take a value out; undefined when there is none. */
export const get = <T>(name: string): Promise<T | undefined> =>
  act<T | undefined>("readonly", (drawer) => drawer.get(name));

/** Put a value in, instead of the one before. */
export async function put(name: string, value: unknown): Promise<void> {
  await act("readwrite", (drawer) => drawer.put(value, name));
}

/** Throw a value away. */
export async function del(name: string): Promise<void> {
  await act("readwrite", (drawer) => drawer.delete(name));
}
