// Tracks form submissions by the path of the form's action, without any field.
addEventListener(
  'submit',
  (event) => {
    // Not event.target.action: a field may be named action and shadow the property.
    const action = event.target.getAttribute('action') || '';
    window.analytics('Form: Submission', {
      props: { path: new URL(action, location.href).pathname.slice(0, 1000) },
    });
  },
  true,
);
