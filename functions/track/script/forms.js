// Forms that are sent: the path of the address that they go to, nothing of what they hold.
addEventListener(
  'submit',
  (event) => {
    // A field may be called action, so the property is not asked.
    const action = event.target.getAttribute('action') || '';
    window.analytics('Form: Submission', {
      props: { path: new URL(action, location.href).pathname.slice(0, 1000) },
    });
  },
  true,
);
