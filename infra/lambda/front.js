// Runs in CloudFront for each request, before it goes on to a function: takes
// /function/NAME off the path, and says for whom it asks.
// eslint-disable-next-line no-unused-vars -- CloudFront calls it
function handler(event) {
  const request = event.request;
  const found = /^\/function\/[^/]+(\/.*)?$/.exec(request.uri);
  if (!found) {
    return request.uri === '/' ? redirect(302, '/function/dashboard/') : { statusCode: 404 };
  }
  if (found[1] === undefined && (request.method === 'GET' || request.method === 'HEAD')) {
    return redirect(308, request.uri + '/'); // a page's links are relative to the slash
  }
  request.uri = found[1] || '/';
  request.headers['x-viewer-address'] = { value: event.viewer.ip };
  request.headers['x-forwarded-host'] = { value: request.headers.host.value };
  return request;
}

function redirect(statusCode, location) {
  return { statusCode, headers: { location: { value: location } } };
}
