import { Check, Copy } from 'lucide-react';
import { useRef, useState } from 'react';
import { functionUrl } from '../api/client';
import type { Site } from '../api/types';

/** The script tag for a site's pages, with a button that copies it. */
export function Snippet({ site }: { readonly site: Site }) {
  const code = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);
  const text = `<script defer data-site="${site.domain}" src="${functionUrl('track', 'script.js').href}"></script>`;

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      // Browsers refuse outside https and localhost: select it for the keyboard instead.
      if (code.current) window.getSelection()?.selectAllChildren(code.current);
    }
  };

  return (
    <div className="snippet">
      <pre>
        <code ref={code} data-testid="snippet">
          {text}
        </code>
      </pre>
      <button type="button" className="button" onClick={() => void copy()}>
        {copied ? <Check size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />}
        <span aria-live="polite">{copied ? 'Copied' : 'Copy'}</span>
      </button>
    </div>
  );
}
