import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/**
 * Everything is a hashed file under /assets beside one index.html: the content security policy
 * is `default-src 'self'`, so nothing may be inlined (`assetsInlineLimit`, no preload script).
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "baseline-widely-available",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});
