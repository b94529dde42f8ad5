// The operator's page: what the simulator knows, and buttons for the control calls.
(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const yuan = (fen) => `${fen < 0 ? "-" : ""}${Math.floor(Math.abs(fen) / 100)}.${String(
    Math.abs(fen) % 100,
  ).padStart(2, "0")}`;

  const call = async (method, path, body) => {
    const answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error ?? answer.status);
    return found;
  };
  const act = async (method, path, body) => {
    try {
      await call(method, path, body);
      at("status").textContent = "";
    } catch (fault) {
      at("status").textContent = `✕ ${fault.message}`;
    }
    await refresh();
  };
  const button = (label, method, path, body) => {
    const made = document.createElement("button");
    made.textContent = label;
    made.addEventListener("click", () => act(method, path, body));
    return made;
  };
  const link = (label, href) => {
    const made = document.createElement("a");
    made.textContent = label;
    made.href = href;
    return made;
  };
  const of = (noun, path, label, body = {}) =>
    button(label, "POST", `${path}?mchid=${noun.mchid}`, body);

  const payButtons = (order) => {
    const path = `/control/orders/${encodeURIComponent(order.out_trade_no)}`;
    if (order.state === "NOTPAY") {
      return [
        link("收银台 Sheet", order.sheet_url),
        of(order, `${path}/pay`, "支付 Pay"),
        of(order, `${path}/cancel`, "取消 Cancel"),
        of(order, `${path}/pay`, "错额 +0.01", { amount_fen: order.total_fen + 1 }),
      ];
    }
    const late = of(order, `${path}/pay`, "关单后支付 Pay late", { is_late: true });
    const again = of(order, `${path}/pay`, "重复支付 Pay again", { is_again: true });
    return order.state === "CLOSED" ? [late] : [again];
  };
  const refundButtons = (refund) => {
    const path = `/control/refunds/${encodeURIComponent(refund.out_refund_no)}`;
    if (refund.state === "ABNORMAL") return [of(refund, `${path}/succeed`, "成功 Succeed")];
    if (refund.state !== "PROCESSING") return [];
    return [
      of(refund, `${path}/succeed`, "成功 Succeed"),
      of(refund, `${path}/abnormal`, "异常 Abnormal"),
      of(refund, `${path}/close`, "关闭 Close"),
    ];
  };
  const transferButtons = (transfer) => {
    const path = `/control/transfers/${transfer.out_bill_no}`;
    if (transfer.state !== "WAIT_USER_CONFIRM") return [];
    return [
      of(transfer, `${path}/confirm`, "收款 Confirm"),
      of(transfer, `${path}/refuse`, "拒收 Refuse"),
    ];
  };

  const LISTS = {
    merchants: [
      "/control/merchants",
      ["商户号", "名称", "模式", "算法", "余额", ""],
      (m) => [m.mchid, m.name, m.mode, m.suite, yuan(m.balance_fen), [
        button("+1000", "POST", `/control/merchants/${m.mchid}/fund`, { amount_fen: 100000 }),
      ]],
    ],
    orders: [
      "/control/orders",
      ["商户订单号", "商品", "金额", "产品", "状态", "收银台", ""],
      (o) => [o.out_trade_no, o.description, yuan(o.total_fen), o.product, o.state, o.sheet,
        payButtons(o)],
    ],
    refunds: [
      "/control/refunds",
      ["商户退款单号", "商户订单号", "金额", "状态", ""],
      (r) => [r.out_refund_no, r.out_trade_no, yuan(r.refund_fen), r.state, refundButtons(r)],
    ],
    transfers: [
      "/control/transfers",
      ["商户单号", "收款人", "金额", "状态", "原因", ""],
      (t) => [t.out_bill_no, t.openid, yuan(t.amount_fen), t.state, t.fail_reason,
        transferButtons(t)],
    ],
    notices: [
      "/control/notices",
      ["事件", "关于", "状态", "发送", ""],
      (n) => [n.event, n.about, n.state, n.sendings.map((s) => s.result).join(", "), [
        button("重发 Send", "POST", `/control/notices/${n.id}/send`, {}),
      ]],
    ],
    requests: [
      "/control/requests",
      ["方法", "路径", "结果", "故障", "Request-ID"],
      (r) => [r.method, r.target.slice(0, 80), `${r.status} ${r.code}`, r.fault, r.request_id],
    ],
    calls: ["/control", ["方法", "路径", "说明"], (c) => [c.method, c.path, c.words]],
  };

  const fill = (name, titles, rows) => {
    const section = document.querySelector(`[data-list="${name}"]`);
    section.querySelector(".scroll")?.remove();
    const box = document.createElement("div");
    box.className = "scroll";
    if (!rows.length) {
      box.innerHTML = '<p class="empty">还没有 Nothing yet</p>';
    } else {
      const table = document.createElement("table");
      const head = table.createTHead().insertRow();
      for (const title of titles) {
        head.append(Object.assign(document.createElement("th"), { textContent: title }));
      }
      const body = table.createTBody();
      for (const row of rows) {
        const line = body.insertRow();
        for (const cell of row) {
          const place = line.insertCell();
          if (Array.isArray(cell)) place.append(...cell.flatMap((part) => [part, " "]));
          else place.textContent = cell;
          if (String(cell).length > 60) place.className = "words";
        }
      }
      box.append(table);
    }
    section.append(box);
  };

  let table = [];
  const refresh = async () => {
    try {
      for (const [name, [path, titles, cells]] of Object.entries(LISTS)) {
        fill(name, titles, (await call("GET", path)).map(cells));
      }
      const { armed, table: rows } = await call("GET", "/control/faults");
      fill("armed", ["故障", "次数", "已发生", "概率", "接口", ""], armed.map((f) => [
        f.name, f.count || "∞", f.struck, f.probability, f.operation || "*",
        [button("撤除 Disarm", "DELETE", `/control/faults/${f.id}`)],
      ]));
      if (!table.length) choose(rows);
      table = rows;
      const hosts = await call("GET", "/control/hosts");
      at("hosts").replaceChildren(...hosts.map((host) => button(
        `${host.base_url} ${host.is_up ? "● up" : "○ down"}`, "POST",
        `/control/hosts/${host.number}/${host.is_up ? "down" : "up"}`, {},
      )));
      at("clock").textContent = (await call("GET", "/control/clock")).now;
    } catch (fault) {
      at("status").textContent = `✕ ${fault.message}`;
    }
  };
  const choose = (rows) => {
    const select = at("arm").elements.name;
    for (const row of rows) select.append(new Option(row.name, row.name));
    const tell = () => {
      at("fault-words").textContent = rows.find((row) => row.name === select.value).words;
    };
    select.addEventListener("change", tell);
    tell();
  };

  at("arm").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = at("arm").elements;
    const wish = {
      name: form.name.value,
      count: Number(form.count.value),
      probability: Number(form.probability.value),
      operation: form.operation.value.trim(),
    };
    if (form.seconds.value !== "") wish.seconds = Number(form.seconds.value);
    act("POST", "/control/faults", wish);
  });
  for (const step of document.querySelectorAll("[data-advance]")) {
    step.addEventListener("click", () =>
      act("POST", "/control/clock", { advance_s: Number(step.dataset.advance) }),
    );
  }
  at("reset").addEventListener("click", () => act("POST", "/control/clock", { offset_s: 0 }));

  refresh();
  // Not while somebody is choosing: the lists are drawn anew each time.
  setInterval(() => {
    if (!document.hidden && !["SELECT", "INPUT"].includes(document.activeElement?.tagName)) {
      refresh();
    }
  }, 3000);
})();
