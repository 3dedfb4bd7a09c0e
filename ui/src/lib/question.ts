/** The one question that is open: an action that wants more than a click. It outlives the row that it was asked from. */

import { create } from "zustand";

interface Question {
  asked: { instanceId: string; action: string } | null;
  ask: (instanceId: string, action: string) => void;
  close: () => void;
}

export const useQuestion = create<Question>((set) => ({
  asked: null,
  ask: (instanceId, action) => set({ asked: { instanceId, action } }),
  close: () => set({ asked: null }),
}));
