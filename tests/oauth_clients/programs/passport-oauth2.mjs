// passport-oauth2 in an Express app, set up as documented. The app listens on loopback for the redirect.
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import OAuth2Strategy from 'passport-oauth2';
import { ask, done, given } from './user.mjs';

const { issuer, clientId, clientSecret, me } = given;

class LatchkeyStrategy extends OAuth2Strategy {
  constructor(options, verify) {
    super(options, verify);
    this._oauth2.useAuthorizationHeaderforGET(true);
  }

  userProfile(accessToken, then) {
    this._oauth2.get(me, accessToken, (error, body) => (error ? then(error) : then(null, JSON.parse(body))));
  }
}

const strategy = new LatchkeyStrategy(
  {
    authorizationURL: `${issuer}/oauth/authorize`,
    tokenURL: `${issuer}/oauth/token`,
    clientID: clientId,
    clientSecret: clientSecret ?? '',
    callbackURL: '/callback',
    scope: ['read', 'write'],
    state: true,
    pkce: true,
  },
  (accessToken, refreshToken, profile, then) => then(null, { profile, accessToken, refreshToken }),
);
passport.use('latchkey', strategy);

const app = express();
app.use(session({ secret: 'of this test', resave: false, saveUninitialized: false }));
app.get('/login', passport.authenticate('latchkey', { session: false }));
app.get('/callback', passport.authenticate('latchkey', { session: false }), (request, response) => {
  response.json(request.user);
});
const listening = app.listen(0, '127.0.0.1', async () => {
  const { profile, accessToken, refreshToken } = await ask('visit', `http://127.0.0.1:${listening.address().port}/login`);
  // passport-oauth2 leaves refreshing to its `oauth` package.
  strategy._oauth2.getOAuthAccessToken(refreshToken, { grant_type: 'refresh_token' }, (error, refreshed) => {
    if (error) throw new Error(error.data);
    strategy.userProfile(refreshed, (failed, again) => {
      if (failed) throw new Error(failed.data);
      done({ records: [profile, again], tokens: [accessToken, refreshed], revoked: [] });
    });
  });
});
