import { CircleAlert, RotateCw } from 'lucide-react';
import { ApiError } from '../api/client';

interface Props {
  readonly error: unknown;
  readonly onRetry?: () => unknown;
}

/** The server's error message, with a button to retry. */
export function ErrorNote({ error, onRetry }: Props) {
  const { title, detail } = describe(error);
  return (
    <div className="error-note" role="alert">
      <CircleAlert size={20} aria-hidden="true" />
      <div>
        <p className="error-title">{title}</p>
        {detail !== undefined && <p className="muted">{detail}</p>}
      </div>
      {onRetry && (
        <button type="button" className="button" onClick={() => void onRetry()}>
          <RotateCw size={14} aria-hidden="true" /> Try again
        </button>
      )}
    </div>
  );
}

function describe(error: unknown): { title: string; detail?: string | undefined } {
  if (error instanceof ApiError) return error.problem;
  return {
    title: 'Something went wrong in this page',
    detail: error instanceof Error ? error.message : undefined,
  };
}
