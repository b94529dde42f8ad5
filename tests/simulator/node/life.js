// The life of an order through a client that others wrote: used by the scripts beside this one.
"use strict";
const http = require("node:http");

// Take notices as raw bytes; `next` waits for the one that comes next.
function shop() {
  const waiting = [];
  const come = [];
  const server = http.createServer((request, answer) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const notice = { headers: request.headers, body: Buffer.concat(parts).toString("utf8") };
      const taker = waiting.shift();
      if (taker) taker(notice);
      else come.push(notice);
      answer.writeHead(204).end();
    });
  });
  const next = () =>
    come.length ? Promise.resolve(come.shift()) : new Promise((resolve) => waiting.push(resolve));
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${server.address().port}/notice`;
      resolve({ url, next, close: () => server.close() });
    });
  });
}

async function control(setting, path, wish) {
  const answer = await fetch(setting.control_url + path, {
    method: wish === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json" },
    body: wish === undefined ? undefined : JSON.stringify(wish),
  });
  return answer.json();
}

const setting = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

// `client` is what the scripts make of their library; what is seen is printed as JSON.
async function live(make) {
  const open = await shop();
  const client = await make(setting);
  const seen = {};
  const order = {
    appid: setting.appid,
    mchid: setting.mchid,
    description: "充值 50 元",
    out_trade_no: setting.number,
    notify_url: open.url,
    amount: { total: 5000, currency: "CNY" },
    payer: { openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" },
  };
  try {
    seen.prepay = await client.prepay(order);
    await control(setting, `/control/orders/${setting.number}/pay`, {});
    seen.paid = await client.read(await open.next());
    seen.query = await client.query(setting.number);
    await client.prepay({ ...order, out_trade_no: `${setting.number}x` });
    seen.close = await client.close(`${setting.number}x`);
    seen.refund = await client.refund({
      out_trade_no: setting.number,
      out_refund_no: `${setting.number}r`,
      notify_url: open.url,
      amount: { refund: 1000, total: 5000, currency: "CNY" },
    });
    seen.refunded = await client.read(await open.next());
    await control(setting, "/control/clock", { advance_s: setting.advance_s });
    seen.bill = await client.bill(setting.date);
    seen.funds = await client.funds(setting.date);
    seen.forged = await client.read(forged(await again(open)));
  } finally {
    open.close();
  }
  process.stdout.write(JSON.stringify(seen));
}

async function again(open) {
  const [notice] = await control(setting, "/control/notices");
  await control(setting, `/control/notices/${notice.id}/send`, {});
  return open.next();
}

// The same notice with another amount's worth of bytes: a receiver must not take it.
function forged(notice) {
  return { ...notice, body: notice.body.replace("REFUND.SUCCESS", "REFUND.ABNORMAL") };
}

module.exports = { live };
