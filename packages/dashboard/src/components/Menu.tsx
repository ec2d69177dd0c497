import { useCallback, useEffect, useId, useRef, useState, type ReactNode } from 'react';

interface Props {
  /** The content of the button. */
  readonly button: ReactNode;
  /** The accessible name of the button, if its content is not a name. */
  readonly label?: string;
  readonly className?: string;
  readonly align?: 'start' | 'end';
  /** The content of the panel, given a function that closes it. */
  readonly children: (close: () => void) => ReactNode;
}

/**
 * A button that opens a panel. Tab moves through the panel. Escape, a press outside, and moving the
 * focus out close it.
 */
export function Menu({ button, label, className = 'button', align = 'start', children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();

  const close = useCallback(() => {
    setOpen(false);
    // The focused element in the panel is about to be removed.
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
