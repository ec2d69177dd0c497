/** Stand-ins for browser features that jsdom lacks: layout and modal dialogs. */
import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

// Longer than any machine needs, and within testTimeout.
configure({ asyncUtilTimeout: 5 * 60_000 });

class FixedResizeObserver implements ResizeObserver {
  readonly #callback: ResizeObserverCallback;

  constructor(callback: ResizeObserverCallback) {
    this.#callback = callback;
  }

  observe(target: Element): void {
    const size = {
      width: 1_000,
      height: 264,
      x: 0,
      y: 0,
      top: 0,
      right: 1_000,
      bottom: 264,
      left: 0,
    };
    const contentRect: DOMRectReadOnly = { ...size, toJSON: () => size };
    const none = { borderBoxSize: [], contentBoxSize: [], devicePixelContentBoxSize: [] };
    this.#callback([{ target, contentRect, ...none }], this);
  }

  unobserve(): void {
    // The size never changes.
  }

  disconnect(): void {
    // See unobserve.
  }
}

globalThis.ResizeObserver = FixedResizeObserver;

HTMLDialogElement.prototype.showModal = function showModal() {
  this.open = true;
};
HTMLDialogElement.prototype.close = function close() {
  this.open = false;
};

afterEach(() => {
  cleanup();
});
