// The wallet above an app's page: a frame of the wallet's own origin, and a button that closes it.
export const WALLET = new URL((document.currentScript as HTMLScriptElement).src).origin;

/** Ask the app's own server for an address that signs its person in; refuse any other place. */
async function addressOf(link: string, path: string): Promise<string> {
  const answer = await fetch(link, {
    method: "POST", credentials: "same-origin",
    headers: { "Content-Type": "application/json" }, body: JSON.stringify({ path }),
  });
  if (!answer.ok) throw new Error(`${link} answered ${answer.status}`);
  const { url } = (await answer.json()) as { url: string };
  const address = new URL(url);
  // Whatever an answer says, nobody is led to another place than the wallet this script came from.
  if (address.origin !== WALLET) throw new Error(`${address.origin} is not the wallet`);
  return address.href;
}

function frame(address: string, title: string): Promise<void> {
  return new Promise((done) => {
    const veil = document.createElement("div");
    veil.setAttribute("role", "dialog");
    veil.setAttribute("aria-modal", "true");
    veil.setAttribute("aria-label", title);
    veil.dataset.lingqian = "wallet";
    veil.style.cssText = "position:fixed;top:0;left:0;right:0;bottom:0;z-index:2147483000;background:#000a;"
      + "display:flex;flex-direction:column;align-items:center";
    const inside = document.createElement("iframe");
    inside.title = title;
    inside.src = address;
    inside.style.cssText = "border:0;width:100%;max-width:34rem;flex:1;background:#fff";
    const shut = document.createElement("button");
    shut.type = "button";
    shut.textContent = "×";
    shut.setAttribute("aria-label", "关闭 Close");
    shut.style.cssText = "width:2.75rem;height:2.75rem;margin:.4rem;border-radius:50%;border:2px solid #fff;"
      + "background:#000;color:#fff;font-size:1.3rem";
    const leave = () => {
      document.removeEventListener("keydown", onKey);
      veil.remove();
      done();
    };
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && leave();
    shut.addEventListener("click", leave);
    document.addEventListener("keydown", onKey);
    veil.append(shut, inside);
    document.body.append(veil);
    shut.focus();
  });
}

export type Place = "page" | "frame";

/** Lead the person to a place in the wallet; resolves when a frame is closed again. */
export async function openWallet(link: string, path: string, where: Place, title: string): Promise<void> {
  const address = await addressOf(link, path);
  if (where === "page") location.assign(address);
  else await frame(address, title);
}
