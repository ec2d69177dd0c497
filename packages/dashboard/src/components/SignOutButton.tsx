import { LogOut } from 'lucide-react';
import { useSignOut } from '../api/queries';

export function SignOutButton({ className = 'button quiet' }: { readonly className?: string }) {
  const signOut = useSignOut();
  return (
    <button
      type="button"
      className={className}
      disabled={signOut.isPending}
      onClick={() => {
        signOut.mutate();
      }}
    >
      <LogOut size={16} aria-hidden="true" />{' '}
      {signOut.isError ? 'Try to sign out again' : 'Sign out'}
    </button>
  );
}
