import { useCallback, useEffect, useId, useRef, useState, type ReactNode } from 'react';

interface Props {
  /** What the button shows. */
  readonly button: ReactNode;
  /** The button's name, where what it shows is not one. */
  readonly label?: string;
  readonly className?: string;
  readonly align?: 'start' | 'end';
  /** What the panel shows; it gets the way to close it. */
  readonly children: (close: () => void) => ReactNode;
}

/**
 * A button that discloses a panel. Tab walks through the panel; Escape, a press elsewhere, and
 * focus moving on close it.
 */
export function Menu({ button, label, className = 'button', align = 'start', children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();

  const close = useCallback(() => {
    setOpen(false);
    // What had the focus in the panel is about to go.
    document.getElementById(id)?.focus();
  }, [id]);

  useEffect(() => {
    if (!open) return undefined;
    const onPress = (event: Event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') close();
    };
    document.addEventListener('pointerdown', onPress);
    document.addEventListener('focusin', onPress);
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('pointerdown', onPress);
      document.removeEventListener('focusin', onPress);
      document.removeEventListener('keydown', onKey);
    };
  }, [open, close]);

  return (
    <div className="menu" ref={root}>
      <button
        id={id}
        type="button"
        className={className}
        aria-label={label}
        aria-expanded={open}
        aria-controls={open ? `${id}-panel` : undefined}
        onClick={() => {
          setOpen(!open);
        }}
      >
        {button}
      </button>
      {open && (
        <div id={`${id}-panel`} className={`menu-panel menu-${align}`}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
