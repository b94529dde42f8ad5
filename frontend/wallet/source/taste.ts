// What a person has chosen of the page's looks: language, letters, light, and the skin of a scene.
//
// Law: a skin changes colours only; prices, fees and states never depend on it.
import { reactive, watchEffect } from "vue";

export type Language = "zh" | "en";
export type Light = "auto" | "light" | "dark";
export const SKINS = ["plain", "live", "shop", "festival"] as const;
export type Skin = (typeof SKINS)[number];

interface Taste {
  language: Language;
  isBig: boolean;
  light: Light;
  skin: Skin;
}

const PLACE = "lingqian.taste";
const asked = new URLSearchParams(location.search).get("skin");

function remembered(): Partial<Taste> {
  try {
    return JSON.parse(localStorage.getItem(PLACE) ?? "{}") as Partial<Taste>;
  } catch {
    return {}; // storage is closed to us, or holds another version's words: begin anew
  }
}

export const taste = reactive<Taste>({
  language: (navigator.language || "zh").toLowerCase().startsWith("zh") ? "zh" : "en",
  isBig: false,
  light: "auto",
  skin: SKINS.find((skin) => skin === asked) ?? "plain",
  ...remembered(),
});

/** Keep the page's root and the memory equal to what is chosen. */
export function dress(): void {
  const night = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const root = document.documentElement;
    const isDark = taste.light === "dark" || (taste.light === "auto" && night.matches);
    root.lang = taste.language === "zh" ? "zh-CN" : "en";
    root.dataset.light = isDark ? "dark" : "light";
    root.dataset.letters = taste.isBig ? "big" : "usual";
    root.dataset.skin = taste.skin;
    root.classList.toggle("van-theme-dark", isDark);
  };
  night.addListener(paint); // the older name: WebViews of 2018 know no other
  watchEffect(() => {
    paint();
    try {
      localStorage.setItem(PLACE, JSON.stringify(taste));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  });
}
