// The page around the verifier: takes a file, a paste or a link's fragment, and shows the findings.

import { toHex, verify } from "./verify.mjs";

const ROWS_MAX = 500; // a longer list is checked whole and shown in part
const BYTES_MAX = 64 * 1024 * 1024;

const NAMES = {
  form: ["格式", "Form"], commitment: ["承诺", "Commitment"], entropy: ["发送人随机数", "Entropy"],
  spread: ["分散度", "Spread"], shares: ["各份金额", "Shares"], sum: ["总和", "Sum"],
  bounds: ["上下限", "Bounds"], chain: ["记录链", "Chain"], times: ["时间", "Times"],
  order: ["顺序", "Order"], amounts: ["所得金额", "Amounts"], once: ["每人一次", "Once each"],
  money: ["钱数", "Money"], best: ["手气最佳", "Best luck"], level: ["等级", "Level"],
  beacon: ["公共信标", "Beacon"], signature: ["签名", "Signature"], shown: ["您看到的承诺", "Shown"],
};

const at = (id) => document.getElementById(id);
let chinese = !navigator.language || navigator.language.startsWith("zh");
let last = null;

const say = (zh, en) => (chinese ? zh : en);

function element(name, content, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...[content].flat());
  return made;
}

function yuan(fen) {
  return `¥${fen / 100n}.${(fen % 100n).toString().padStart(2, "0")}`;
}

function moment(us) {
  return new Date(Number(us / 1000n)).toLocaleString(chinese ? "zh-CN" : "en", { hour12: false });
}

// The commitment the person typed in, against the record's.
function shownFinding(proof) {
  const typed = at("shown").value.trim().toLowerCase();
  if (typed === "" || proof === null) return [];
  const ok = typed === toHex(proof.commitment);
  const [zh, en] = ok
    ? ["与证明中的一致", "the same as in the proof"]
    : ["与证明中的不同：这不是您看到的那个红包", "not the proof's: this is not the packet you saw"];
  return [{ check: "shown", ok, checked: true, zh, en }];
}

function checkRow({ check, ok, checked, zh, en }) {
  const state = ok ? (checked ? "" : "unchecked") : "bad";
  const mark = { "": "✓", unchecked: "–", bad: "✗" }[state];
  const word = { "": say("通过", "ok"), unchecked: say("未核对", "not checked"),
    bad: say("不通过", "failed") }[state];
  const sign = element("span", mark, "mark");
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", word);
  const name = NAMES[check][chinese ? 0 : 1];
  return element("li", [sign, element("span", `${name}${say("：", ": ")}${say(zh, en)}`)], state);
}

function facts(proof, level) {
  const best = proof.best === null
    ? say("无", "none")
    : `${yuan(proof.best.amount_fen)}${say("，第 ", ", no. ")}${proof.best.sequence}`;
  const rows = [
    [say("总额", "Total"), yuan(proof.total_fen)],
    [say("份数", "Shares"), `${proof.count}`],
    [say("已退回", "Returned"), yuan(proof.refund_fen)],
    [say("手气最佳", "Best luck"), best],
    [say("证明等级", "Level"), level],
    [say("发出", "Sent"), moment(proof.created_at_us)],
    [say("结束", "Closed"), moment(proof.closed_at_us)],
    [say("承诺", "Commitment"), toHex(proof.commitment)],
  ];
  const pairs = rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
  return element("dl", pairs);
}

function list(proof) {
  const rows = proof.draw
    ? proof.results.map((row) => [row, proof.claims[Number(row.sequence) - 1]])
    : proof.claims.map((row) => [row, row]);
  const head = [say("序号", "No."), say("金额", "Amount"), say("化名", "Pseudonym")];
  const body = rows.slice(0, ROWS_MAX).map(([row, claim]) => element("tr", [
    element("td", `${row.sequence}`), element("td", yuan(row.amount_fen)),
    element("td", claim ? toHex(claim.pseudonym) : ""),
  ]));
  const table = element("table", [
    element("thead", element("tr", head.map((name) => element("th", name)))),
    element("tbody", body),
  ]);
  const hidden = rows.length - body.length;
  return hidden > 0
    ? [table, element("p", say(`另有 ${hidden} 行未显示，均已核对。`,
      `${hidden} more rows are checked and not shown.`))]
    : [table];
}

function show() {
  if (last === null) return;
  const { readable, findings, level, limits, proof } = last;
  const all = [...findings, ...shownFinding(proof)];
  const failed = all.filter((one) => !one.ok).length;
  const good = say("全部通过：这个红包是按承诺拆分的。", "Every check held: this packet was split as promised.");
  const bad = readable
    ? say(`${failed} 项不通过：不要相信这份证明。`, `${failed} failed: do not trust this proof.`)
    : say("这不是一份可读的证明。", "This is not a proof that can be read.");
  const [words, state] = failed === 0 ? [good, "verdict"] : [bad, "verdict bad"];
  const parts = [element("div", words, state)];
  if (level !== null) {
    parts.push(element("h2", say(`等级 ${level} 不能防止什么`, `What level ${level} does not stop`)));
    parts.push(element("ul", limits.map(({ zh, en }) => element("li", say(zh, en))), "limits"));
  }
  parts.push(element("h2", say("逐项核对", "The checks")));
  parts.push(element("ul", all.map(checkRow), "checks"));
  if (proof !== null) {
    parts.push(element("h2", say("红包", "The packet")), facts(proof, level));
    parts.push(element("h2", say("领取记录", "Who opened what")), ...list(proof));
  }
  at("result").replaceChildren(...parts);
}

async function take(text) {
  last = await verify(text);
  show();
  at("result").focus();
}

async function takeFile(file) {
  if (!file) return;
  await take(file.size > BYTES_MAX ? "" : await file.text());
}

function speak() {
  document.documentElement.lang = chinese ? "zh" : "en";
  for (const one of document.querySelectorAll("[data-zh]")) {
    const words = chinese ? one.dataset.zh : one.dataset.en;
    // A label may hold its own field: only its words change.
    if (one.childElementCount === 0) one.textContent = words;
  }
  at("language").textContent = chinese ? "English" : "中文";
  at("language").lang = chinese ? "en" : "zh";
  show();
}

// A link may carry the proof behind its #, which never leaves the device: #proof=<base64url>.
async function takeFragment() {
  const found = /^#proof=([A-Za-z0-9_-]+)$/.exec(location.hash);
  if (found === null) return;
  const raw = atob(found[1].replaceAll("-", "+").replaceAll("_", "/"));
  await take(new TextDecoder().decode(Uint8Array.from(raw, (letter) => letter.charCodeAt(0))));
}

const drop = at("drop");
at("file").addEventListener("change", (event) => takeFile(event.target.files[0]));
at("check").addEventListener("click", () => take(at("text").value));
at("shown").addEventListener("input", show);
at("language").addEventListener("click", () => {
  chinese = !chinese;
  speak();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") takeFile(event.dataTransfer.files[0]);
  });
}
speak();
await takeFragment();
