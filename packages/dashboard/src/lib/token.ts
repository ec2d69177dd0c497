/** Whether the URL has a token, as in `#token=...`. */
export function hasToken(): boolean {
  return tokenInAddress() !== null;
}

function tokenInAddress(): string | null {
  return new URLSearchParams(window.location.hash.slice(1)).get('token');
}

/**
 * Takes the token in `#token=...`, which the platform prints when it starts. It removes the token
 * from the URL, so that it stays neither on the screen nor in the history.
 */
export function takeToken(): string | undefined {
  const token = tokenInAddress();
  if (token === null) return undefined;
  const { pathname, search } = window.location;
  window.history.replaceState(null, '', pathname + search);
  return token === '' ? undefined : token;
}
