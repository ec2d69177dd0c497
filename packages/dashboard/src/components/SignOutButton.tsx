import { LogOut } from 'lucide-react';
import { useSignOut } from '../api/queries';

interface Props {
  /** Whether other browsers are signed out too. */
  readonly everywhere?: boolean;
  readonly className?: string;
}

export function SignOutButton({ everywhere = false, className = 'button quiet' }: Props) {
  const signOut = useSignOut();
  const label = everywhere ? 'Sign out everywhere' : 'Sign out';
  return (
    <button
      type="button"
      className={className}
      disabled={signOut.isPending}
      onClick={() => {
        signOut.mutate(everywhere ? 'everywhere' : 'here');
      }}
    >
      <LogOut size={16} aria-hidden="true" /> {signOut.isError ? `${label}: try again` : label}
    </button>
  );
}
