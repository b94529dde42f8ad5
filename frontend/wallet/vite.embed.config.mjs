// The build of the elements for other apps' pages: one classic script, so that a page of another
// origin may load it without asking; its name stays, because apps write it into their pages.
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    "process.env.NODE_ENV": '"production"',
  },
  build: {
    outDir: "../../src/lingqian/web/static/wallet",
    emptyOutDir: false,
    target: ["chrome64", "safari12"],
    cssTarget: ["chrome64", "safari12"],
    reportCompressedSize: false,
    lib: {
      entry: "embed/main.ts", formats: ["iife"], name: "lingqian", fileName: () => "embed.js",
    },
  },
});
