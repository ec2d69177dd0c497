import { LogIn } from 'lucide-react';
import { useState, type SyntheticEvent } from 'react';
import { isUnauthorized, useSignIn } from '../api/queries';
import { ErrorNote } from './ErrorNote';
import { Logo } from './Logo';
import { ThemeButton } from './ThemeButton';

export function SignIn({ initialError }: { readonly initialError?: unknown }) {
  const signIn = useSignIn();
  const [token, setToken] = useState('');
  const error = signIn.isIdle ? initialError : signIn.error;
  const wrong = isUnauthorized(error);

  const onSubmit = (event: SyntheticEvent) => {
    event.preventDefault();
    signIn.mutate(token.trim());
  };

  return (
    <main className="centered">
      <div className="corner">
        <ThemeButton />
      </div>
      <form className="card padded stack sign-in" onSubmit={onSubmit}>
        <Logo size={44} />
        <div>
          <h1>Sign in to analytics</h1>
          <p className="muted">With the owner’s token of this installation.</p>
        </div>
        {/* Password managers need a user name to store the token. */}
        <input
          className="visually-hidden"
          type="text"
          name="username"
          autoComplete="username"
          value="owner"
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <div className="field">
          <label htmlFor="token">Token</label>
          <input
            id="token"
            name="token"
            type="password"
            autoComplete="current-password"
            required
            value={token}
            aria-invalid={wrong}
            aria-describedby={wrong ? 'token-error' : 'token-hint'}
            onChange={(event) => {
              setToken(event.target.value);
            }}
          />
          {wrong ? (
            <p id="token-error" className="field-error" role="alert">
              This token is not the right one. Check that you copied all of it.
            </p>
          ) : (
            <p id="token-hint" className="field-hint">
              The value of <code>ADMIN_TOKEN</code>, which is also printed when the platform starts.
            </p>
          )}
        </div>
        {error != null && !wrong && <ErrorNote error={error} />}
        <button type="submit" className="button primary" disabled={signIn.isPending}>
          <LogIn size={16} aria-hidden="true" /> Sign in
        </button>
      </form>
    </main>
  );
}
