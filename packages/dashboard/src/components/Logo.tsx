export function Logo({ size = 28 }: { readonly size?: number }) {
  return (
    <svg className="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path
        d="M9.6 18.2v4.2M16 9.7v12.7M22.4 14.2v8.2"
        stroke="#fff"
        strokeWidth="4.2"
        strokeLinecap="round"
      />
    </svg>
  );
}
