// Runs in CloudFront for each request before it is forwarded to a function: strips
// /function/NAME from the path, and sets the viewer's address and host.
// eslint-disable-next-line no-unused-vars -- CloudFront calls it
function handler(event) {
  const request = event.request;
  const match = /^\/function\/[^/]+(\/.*)?$/.exec(request.uri);
  if (!match) {
    return request.uri === '/' ? redirect(302, '/function/dashboard/') : { statusCode: 404 };
  }
  if (match[1] === undefined && (request.method === 'GET' || request.method === 'HEAD')) {
    return redirect(308, request.uri + '/'); // links of pages are relative to the slash
  }
  request.uri = match[1] || '/';
  request.headers['x-viewer-address'] = { value: event.viewer.ip };
  request.headers['x-forwarded-host'] = { value: request.headers.host.value };
  return request;
}

function redirect(statusCode, location) {
  return { statusCode, headers: { location: { value: location } } };
}
