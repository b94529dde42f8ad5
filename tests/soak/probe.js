// Stands where WeChat stands, outside the page: the bridge is answered by whoever runs the test,
// and what the page itself reads of its event streams is noted, piece by piece, as it reads it.
(() => {
  "use strict";
  window.WeixinJSBridge = {
    invoke(call, parameters, answer) {
      window.lqWechat(call, parameters).then(answer);
    },
  };
  const ask = window.fetch.bind(window);
  const life = String(performance.timeOrigin);
  const UNAUTHENTICATED = 401;
  let count = 0;

  const note = (body, path) => {
    const give = body.getReader.bind(body);
    const number = (count += 1);
    body.getReader = () => {
      const reader = give();
      const decoder = new TextDecoder();
      return {
        async read() {
          const piece = await reader.read();
          if (piece.value) {
            const text = decoder.decode(piece.value, { stream: true });
            window.lqHeard(life, number, path, text);
          }
          return piece;
        },
      };
    };
  };

  window.fetch = async (path, wish) => {
    const answer = await ask(path, wish);
    if (String(path).startsWith("/v1/events?") && answer.ok) note(answer.body, String(path));
    if (answer.status === UNAUTHENTICATED) {
      const told = (said) => window.lqDoubted(said.code, said.detail ?? "");
      answer.clone().json().then(told, () => {});
    }
    return answer;
  };
})();
