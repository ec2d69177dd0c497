import { formatCount } from '../lib/format';
import type { Live } from '../live/useLive';

/** The number of current visitors, or a note that it is unknown. */
export function LiveCount({ status, visitors }: Pick<Live, 'status' | 'visitors'>) {
  const known = status === 'live' ? visitors : undefined;
  return (
    <p
      className="live-count"
      data-testid="live-visitors"
      data-value={known}
      data-status={status}
      title="Visitors in the last 5 minutes"
    >
      <span className="dot" aria-hidden="true" />
      {known === undefined ? (
        <span>{status === 'disconnected' ? 'Live: disconnected' : 'Live: connecting'}</span>
      ) : (
        <span>
          <strong>{formatCount(known)}</strong> current {known === 1 ? 'visitor' : 'visitors'}
        </span>
      )}
    </p>
  );
}
