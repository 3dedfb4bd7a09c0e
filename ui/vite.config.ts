import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const berth = process.env["BERTH_URL"] ?? "http://127.0.0.1:8000";

/** What a developer's page asks for goes to a running Berth, as if the API had served the page itself. */
const proxied = {
  target: berth,
  changeOrigin: true,
  ws: true,
  headers: { origin: berth },
};

/**
 * What the list of instances needs, with which most visits begin, in one file: each file more is a request that the first
 * rows wait for, and one that is found only while another is read. All other screens have their own.
 */
const FIRST = [
  /\/node_modules\/(react|react-dom|scheduler|zustand|use-sync-external-store|wouter|regexparam)\//,
  /\/node_modules\/(@headlessui|@floating-ui|@react-aria|tabbable|@tanstack\/(query-core|react-query|react-virtual|virtual-core))\//,
  /\/src\/(api|lib|live|shell|screens\/instances)\/(?!NotFound|Palette|Help)/,
  /\/src\/parts\/(?!DataTable|EventList|Operation|Waterfall|waterfall)/,
];

const isFirst = (id: string): boolean => FIRST.some((part) => part.test(id));

export default defineConfig({
  base: "/ui/",
  plugins: [react(), tailwind()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  server: { port: 5173, proxy: { "/api": proxied, "/docs": proxied, "/ws": proxied } },
  build: {
    target: ["chrome123", "firefox120", "safari17.5"],
    // The page is served under a policy without inline code or data: fonts and pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "first", test: isFirst }] } } },
  },
  // A file that needs a page says so in its first line: one takes seconds to make.
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true },
});
