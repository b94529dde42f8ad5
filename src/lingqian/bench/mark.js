// What a run writes down of a page, in every frame: its own marks, taps, the pay sheet when it
// can be used, work that blocks, and the frames while an envelope opens. Nothing of it is in the
// product; `lqNote` and `lqFrames` are the run's own ears.
(() => {
  "use strict";
  const TAPS = [
    ["[data-plan]", "tap:plan"], [".compose button.packet-button", "tap:wrap"],
    [".sheet button.packet-button", "tap:pay"], [".coin", "tap:coin"],
    ["#confirm", "tap:confirm"], ["#finger", "tap:finger"],
  ];
  // Told as the wall clock of this moment and how long ago it was: page and server agree on that.
  const tell = (name, at = performance.now()) =>
    window.lqNote?.(name, Date.now() - performance.now() + at);
  const watch = (type, hear) =>
    new PerformanceObserver((list) => list.getEntries().forEach(hear))
      .observe({ type, buffered: true });

  let wonAt = 0;
  watch("mark", ({ name, startTime }) => {
    if (!name.startsWith("lq:")) return;
    tell(name.slice(3), startTime);
    if (name.startsWith("lq:won:")) wonAt = startTime;
  });
  watch("longtask", ({ startTime, duration }) => tell("blocked", startTime + duration));
  watch("paint", ({ name, startTime }) =>
    name === "first-contentful-paint" && tell("painted", startTime));
  tell("begun", 0);

  const drawn = (name) => requestAnimationFrame(() => setTimeout(() => tell(name)));
  const count = () => {
    const frames = [];
    const next = (at) => {
      frames.push(at);
      if (wonAt < frames[0]) requestAnimationFrame(next);
      else window.lqFrames?.(frames.slice(1).map((each, place) => each - frames[place]));
    };
    requestAnimationFrame(next);
  };
  addEventListener("click", (event) => {
    const row = TAPS.find(([where]) => event.target.closest?.(where));
    if (!row) return;
    tell(row[1], event.timeStamp);
    if (row[1] === "tap:coin") count();
  }, { capture: true });

  if (location.pathname === "/sheet") {
    const look = () => {
      const button = document.getElementById("confirm");
      if (!button || button.hidden) return;
      seen.disconnect();
      drawn("sheet_stands");
    };
    const seen = new MutationObserver(look);
    seen.observe(document, { subtree: true, childList: true, attributes: true });
  }

  // A page that is told to prepare nothing: the server's answer is emptied on its last step.
  const ask = window.fetch;
  window.fetch = async (where, how) => {
    const answer = await ask(where, how);
    if (!window.lqUnforetold || !String(where).endsWith("/behaviour-events")) return answer;
    const fields = { ...(await answer.json()), prepare: [] };
    return new Response(JSON.stringify(fields), { status: answer.status, headers: answer.headers });
  };
})();
