// The build of the wallet's pages: the same bytes from the same sources, for old WebViews too.
import { readdirSync, readFileSync } from "node:fs";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

const HERE = new URL(".", import.meta.url);
const OUT = "../../src/lingqian/web/static/wallet";

/** Put the verifier beside the pages as it is: it counts in BigInt, which must not be lowered. */
const verifier = {
  name: "verifier-as-it-is",
  generateBundle() {
    const source = readFileSync(new URL("../verifier/verify.mjs", HERE), "utf8");
    this.emitFile({ type: "asset", fileName: "verify.mjs", source });
  },
};

const BUILT_IN = [
  "vue", "vant", "sm-crypto-v2", "@noble/ciphers", "@noble/curves", "@noble/hashes",
];

/** Put the licences of what is built in beside the pages. */
const licences = {
  name: "licences",
  generateBundle() {
    const texts = BUILT_IN.map((name) => {
      const folder = new URL(`node_modules/${name}/`, HERE);
      const told = readFileSync(new URL("package.json", folder), "utf8");
      const { version, license } = JSON.parse(told);
      const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
      const text = readFileSync(new URL(file, folder), "utf8").trim();
      return `${name} ${version}, ${license}\n\n${text}\n`;
    });
    this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: texts.join("\n\n") });
  },
};

export default defineConfig({
  base: "/wallet/",
  plugins: [vue(), verifier, licences],
  define: { __VUE_OPTIONS_API__: "false", __VUE_PROD_DEVTOOLS__: "false" },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: ["chrome64", "safari12"],
    cssTarget: ["chrome64", "safari12"],
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { output: { entryFileNames: "[name]-[hash].js" } },
  },
});
