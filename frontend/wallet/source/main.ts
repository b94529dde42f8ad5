// The wallet's pages begin here: looks first, then whoever is here, then everything live.
import { createApp } from "vue";
import App from "./App.vue";
import { dress } from "./taste";
import "./style/theme.css";
import "./style/page.css";
import "./style/card.css";

dress();
createApp(App).mount("#wallet");
