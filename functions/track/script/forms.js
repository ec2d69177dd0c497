// Tracks form submissions by the path of the form's action, without any field.
on('submit', (event) => {
  // Not event.target.action: a field may have the name of a property or a method.
  let action = Element.prototype.getAttribute.call(event.target, 'action') || '';
  let url = location;
  try {
    url = new URL(action, document.baseURI);
  } catch {
    // The page itself handles a form whose action is no address.
  }
  if (!/^http/.test(url.protocol)) url = location; // it is code, or names a person
  send('Form: Submission', { props: { path: url.pathname.slice(0, 1000) } });
});
