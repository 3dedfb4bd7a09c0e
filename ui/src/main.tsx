/** The page begins here. */

import "./styles/index.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";

import { queryClient } from "./live/queries";
import { App } from "./shell/App";
import { fetchScreen } from "./shell/screens";

const BASE = "/ui";

/** So long the frame waits to be shown with its screen in it. */
const FRAME_ALONE_MS = 500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
await Promise.race([fetchScreen(location.pathname.slice(BASE.length) || "/"), pause(FRAME_ALONE_MS)]);
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <Router base={BASE}>
        <App />
      </Router>
    </QueryClientProvider>
  </StrictMode>,
);
