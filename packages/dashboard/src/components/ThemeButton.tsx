import { Monitor, Moon, Sun } from 'lucide-react';
import { useState } from 'react';
import { storeTheme, storedTheme, type Theme } from '../lib/theme';

const themes = {
  system: { name: 'as the system', Icon: Monitor, next: 'light' },
  light: { name: 'light', Icon: Sun, next: 'dark' },
  dark: { name: 'dark', Icon: Moon, next: 'system' },
} as const satisfies Record<Theme, { name: string; Icon: typeof Sun; next: Theme }>;

/** A button that cycles through the system's theme, light and dark. */
export function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const { name, Icon, next } = themes[theme];
  const label = `Theme: ${name}`;
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      onClick={() => {
        storeTheme(next);
        setTheme(next);
      }}
    >
      <Icon size={18} aria-hidden="true" />
    </button>
  );
}
