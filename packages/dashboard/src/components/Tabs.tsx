import { useId, useRef, type KeyboardEvent, type ReactNode } from 'react';

export interface Tab {
  readonly id: string;
  readonly name: string;
}

interface Props {
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly selected: string;
  readonly onSelect: (id: string) => void;
  /** Content before the tabs on the same line. */
  readonly heading: ReactNode;
  /** The panel of the selected tab. */
  readonly children: ReactNode;
}

/** Tabs and their panel. The arrow keys, Home and End move between tabs. */
export function Tabs({ label, tabs, selected, onSelect, heading, children }: Props) {
  const base = useId();
  const list = useRef<HTMLDivElement>(null);

  const onKeyDown = (event: KeyboardEvent) => {
    const now = tabs.findIndex(({ id }) => id === selected);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + tabs.length) % tabs.length;
    const tab = tabs[index];
    if (!tab) return;
    onSelect(tab.id);
    list.current?.querySelectorAll('button')[index]?.focus();
  };

  return (
    <>
      <div className="tabs-head">
        {heading}
        <div className="tabs" role="tablist" aria-label={label} ref={list}>
          {tabs.map(({ id, name }) => (
            <button
              key={id}
              id={`${base}-${id}`}
              type="button"
              role="tab"
              aria-selected={id === selected}
              aria-controls={`${base}-panel`}
              tabIndex={id === selected ? 0 : -1}
              onKeyDown={onKeyDown}
              onClick={() => {
                onSelect(id);
              }}
            >
              {name}
            </button>
          ))}
        </div>
      </div>
      <div
        id={`${base}-panel`}
        className="tab-panel"
        role="tabpanel"
        aria-labelledby={`${base}-${selected}`}
      >
        {children}
      </div>
    </>
  );
}
