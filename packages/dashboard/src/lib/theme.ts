/** Light, dark, or the system's theme. The choice is stored in this browser. */
export type Theme = 'system' | 'light' | 'dark';

const key = 'analytics-theme';

export function storedTheme(): Theme {
  try {
    const theme = localStorage.getItem(key);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    // Storage may be blocked. Then every visit starts with the system's theme.
    return 'system';
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export function storeTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    localStorage.setItem(key, theme);
  } catch {
    // See storedTheme.
  }
}
