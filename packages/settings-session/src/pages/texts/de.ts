import type { PageTexts } from './en.js'

/** The sentences in German. */
export const de: PageTexts = {
  confirmTitle: 'Einstellungen öffnen',
  confirmOtherTitle: 'Aus dem Chat fortfahren',
  confirmIntro: 'Sie sind einem Link aus {platform} gefolgt. Sind das Sie?',
  labelAccount: 'Konto',
  accountOnPlatform: '{account} bei {platform}',
  labelChat: 'Aus',
  labelApp: 'Verbindet',
  labelPurpose: 'Wozu',
  labelAgent: 'Agent',
  labelTimeLeft: 'Noch gültig',
  codeLabel: 'Die Ziffern, die der Chat zeigt',
  codeWrong: 'Das sind nicht die Ziffern, die der Chat zeigt.',
  codeIncomplete: 'Geben Sie die sechs Ziffern ein, die der Chat zeigt.',
  open: 'Öffnen',
  continueAndSignIn: 'Weiter und mit {provider} anmelden',
  replaces: 'Dieser Browser ist für {account} bei {platform} angemeldet. Diese Sitzung wird ersetzt.',
  warnConnect:
    'Das Konto, mit dem Sie sich anmelden, wird mit der Person oben verbunden. Fahren Sie nur fort, wenn Sie diese Person sind und den Link selbst angefordert haben. Hat Ihnen jemand anders den Link geschickt? Dann fahren Sie nicht fort.',
  warnReturn:
    'Danach öffnet jede Anmeldung mit diesem Konto hier die Einstellungen dieses Benutzers. Wenn Sie das nicht sind, steht in dessen Einstellungen, was Sie dort eingeben.',
  notMe: 'Das bin ich nicht',
  confirmHint: 'Wenn Sie diesen Link nicht angefordert haben, schließen Sie diese Seite. Es wurde nichts geöffnet.',
  notMeTitle: 'Danke, der Link ist ungültig',
  notMeText: 'Es wurde nichts geöffnet, und niemand kann diesen Link noch öffnen. Sie können diese Seite schließen.',
  releaseTitle: 'Dieses Konto gehört hier zu einem anderen Benutzer',
  releaseText:
    'Es wurde nichts geöffnet. Das Konto, mit dem Sie sich angemeldet haben, ist mit einem anderen Benutzer derselben Chat-Plattform verbunden. Wenn Sie das nicht waren, hat Ihnen vielleicht jemand einen eigenen Link geschickt, mit dem Sie sich angemeldet haben.',
  releaseUser:
    'Sie können Ihr Konto von diesem Benutzer lösen und mit {account} auf {platform} verbinden lassen. Die Sitzungen dieses Benutzers enden.',
  releaseButton: 'Das war ich nicht: lösen und fortfahren',
  releaseHint:
    'Fahren Sie nicht fort, wenn auch der andere Benutzer Sie selbst sind oder wenn Ihnen jemand anderes diesen Link geschickt hat: Schließen Sie diese Seite.',

  waitTitle: 'Einen Moment',
  waitSignIn: 'Als Nächstes: Anmeldung mit {provider}.',
  waitSignedIn: 'Sie sind angemeldet.',
  waitReady: 'Alles ist bereit.',
  waitChat: 'Bestätigen Sie im Chat, dass Sie das sind. Diese Seite fährt von selbst fort.',
  continue: 'Weiter',
  checkAgain: 'Noch einmal prüfen',
  tryAgain: 'Noch einmal versuchen',
  continueToSettings: 'Weiter zu den Einstellungen',
  continueWithLink: 'Weiter mit Ihrem Link',
  signInWith: 'Mit {provider} anmelden',

  loggedOutTitle: 'Sie sind abgemeldet',
  loggedOutText: 'Fordern Sie im Chat einen neuen Link an, um die Einstellungen wieder zu öffnen.',

  telegramAsking: 'Telegram wird gefragt, wer Sie sind.',
  telegramFailed:
    'Telegram hat nicht bestätigt, dass Sie das öffnen dürfen. Öffnen Sie diese Seite noch einmal aus dem Chat.',
  telegramNoScript: 'Telegram öffnet diese Seite nur mit JavaScript. Fordern Sie stattdessen im Chat einen Link an.',

  linkRefusedTitle: 'Dieser Link funktioniert nicht',
  linkRefusedText: 'Er wurde vielleicht schon benutzt oder ist zu alt. Fordern Sie im Chat einen neuen Link an.',
  signedOutTitle: 'Sie sind nicht angemeldet',
  signedOutText: 'Fordern Sie im Chat einen neuen Link an, um Ihre Einstellungen zu öffnen.',
  comeBackTitle: 'Sie sind nicht angemeldet',
  comeBackText:
    'Melden Sie sich an, um Ihre Einstellungen wieder zu öffnen, oder fordern Sie im Chat einen neuen Link an.',
  notBoundTitle: 'Zu diesem Konto gehören keine Einstellungen',
  notBoundText: 'Fordern Sie im Chat einen Link an und öffnen Sie ihn einmal. Danach genügt es, sich anzumelden.',
  severalUsersTitle: 'Dieses Konto hat Einstellungen in mehr als einem Chat',
  severalUsersText: 'Fordern Sie in dem Chat einen Link an, dessen Einstellungen Sie öffnen möchten.',
  unsentTitle: 'Sie sind nicht mehr angemeldet',
  unsentText:
    'Es wurde nichts geändert. Was Sie eingegeben haben, ist noch da: Fordern Sie im Chat einen neuen Link an, öffnen Sie ihn in diesem Browser, gehen Sie zu diesem Formular zurück und senden Sie es noch einmal.',
  noLinkTitle: 'Dieser Browser hat Ihren Link nicht',
  noLinkText:
    'Er wurde in einem anderen Browser oder einer anderen App geöffnet, oder dieser Browser behält keine Cookies. Erlauben Sie Cookies für diese Seite, kopieren Sie den Link aus dem Chat und öffnen Sie ihn in diesem Browser.',
  noLinkOnHttpTitle: 'Dieser Browser hat Ihren Link nicht',
  noLinkOnHttpText:
    'Er wurde in einem anderen Browser oder einer anderen App geöffnet, oder dieser Browser behält keine Cookies. Erlauben Sie Cookies für diese Seite, kopieren Sie den Link aus dem Chat und öffnen Sie ihn in diesem Browser. Safari behält keine sicheren Cookies von http://localhost: Nehmen Sie dort einen anderen Browser oder https.',
  otherBrowserTitle: 'Diese Anmeldung hat in einem anderen Browser begonnen',
  otherBrowserText:
    'Es wurde nichts geöffnet. Fahren Sie in dem Browser oder der App fort, wo Sie begonnen haben. Oder kopieren Sie den Link aus dem Chat und öffnen Sie ihn in diesem Browser mit erlaubten Cookies.',
  signInEndedTitle: 'Diese Anmeldung ist beendet',
  signInEndedText:
    'Sie hat zu lange gedauert, oder der Link wurde in einem anderen Browser geöffnet. Öffnen Sie den Link aus dem Chat noch einmal oder fordern Sie einen neuen an.',
  unsupportedBodyTitle: 'Die Seite hat etwas gesendet, das wir nicht lesen',
  unsupportedBodyText: 'Es wurde nichts getan. Sagen Sie es den Betreibern dieser App.',
  wrongPlaceTitle: 'Hier ist nicht der richtige Ort für einen Link',
  wrongPlaceText: 'Öffnen Sie den Link so, wie er im Chat steht.',
  wrongKindTitle: 'Dieser Link ist für eine andere Seite',
  wrongKindText: 'Öffnen Sie den Link so, wie er im Chat steht.',
  wrongCodeTitle: 'Das sind nicht die richtigen Ziffern',
  wrongCodeText: 'Öffnen Sie den Link noch einmal und geben Sie ein, was der Chat zeigt.',
  awaitingIdentityTitle: 'Melden Sie sich an, um fortzufahren',
  awaitingIdentityText: 'Der Link ist bestätigt. Der letzte Schritt ist die Anmeldung.',
  staleTitle: 'Melden Sie sich noch einmal an',
  staleText: 'Das ist nur kurz nach einer Anmeldung möglich.',
  crossSiteTitle: 'Das wurde nicht von unserer Seite gesendet',
  crossSiteText:
    'Zu Ihrer Sicherheit wurde nichts getan. Gehen Sie zurück und versuchen Sie es von der Seite selbst aus noch einmal.',
  identityMismatchTitle: 'Dieser Link ist nicht für dieses Konto',
  identityMismatchText:
    'Es wurde nichts geöffnet. Fordern Sie im Chat einen neuen Link an und melden Sie sich mit dem Konto an, das Sie zuvor benutzt haben.',
  signInFailedTitle: 'Die Anmeldung hat nicht geklappt',
  signInFailedText: 'Es wurde nichts geöffnet. Sie können es noch einmal versuchen.',
  telegramInvalidTitle: 'Telegram hat nicht bestätigt, dass Sie das öffnen dürfen',
  telegramInvalidText: 'Öffnen Sie die Seite noch einmal aus dem Chat.',
  replayedTitle: 'Öffnen Sie das noch einmal aus dem Chat',
  replayedText: 'Es wurde schon in einem anderen Browser benutzt.',
  tooManyAttemptsTitle: 'Zu viele Versuche',
  tooManyAttemptsText: 'Es wurde nichts geöffnet. Warten Sie einige Minuten und versuchen Sie es noch einmal.',
  laterTitle: 'Versuchen Sie es gleich noch einmal',
  laterText: 'Etwas, das wir dafür brauchen, antwortet gerade nicht.',
  storeDownTitle: 'Versuchen Sie es gleich noch einmal',
  storeDownText: 'Wir können Ihre Anmeldung gerade nicht prüfen. Sie bleiben angemeldet.',
  providerDownTitle: 'Versuchen Sie es gleich noch einmal',
  providerDownText: 'Der Anmeldedienst antwortet gerade nicht.',
}
