import { defineConfig } from "@hey-api/openapi-ts";

/** The client is made anew from the committed contract at every build, so it cannot drift from it. */
export default defineConfig({
  input: "../docs/openapi.json",
  output: { path: "src/api/generated" },
  plugins: [
    { name: "@hey-api/client-fetch", throwOnError: true },
    { name: "@hey-api/typescript", enums: false },
    { name: "@hey-api/sdk" },
  ],
});
