// Gets a token by the client credentials grant, and calls the API with it.
const answer = await fetch('http://localhost:4000/token', {
  method: 'POST',
  headers: { authorization: `Basic ${btoa('reports:the-secret-of-this-client')}` },
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    resource: 'http://localhost:3000/reports',
    scope: 'reports:read',
  }),
})
const { access_token: token } = (await answer.json()) as { access_token: string }

for (const [method, path] of [
  ['GET', '/reports'],
  ['DELETE', '/reports/may'],
]) {
  const response = await fetch(`http://localhost:3000${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
  })
  console.log(method, path, response.status, await response.text())
}
