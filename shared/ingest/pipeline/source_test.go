package pipeline_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// arrive returns the event that is queued for a visitor who opens a page with a query from a
// referrer.
func arrive(t *testing.T, query, referrer string) event.Event {
	t.Helper()
	return visitor(t)(t, query, referrer)
}

// visitor is arrive for many visitors.
func visitor(t *testing.T) func(t *testing.T, query, referrer string) event.Event {
	t.Helper()
	p, d, r := setup(t)
	return func(t *testing.T, query, referrer string) event.Event {
		t.Helper()
		got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "view", URL: "https://example.com/?" + query, Referrer: referrer})
		if err != nil || got.Dropped != "" {
			t.Fatalf("%s from %s: dropped %q, %v", query, referrer, got.Dropped, err)
		}
		return got.Event
	}
}

// TestOneName checks that a source has one name, whatever leads to it: each line is a source
// and its channel, and the queries and referrers that mean it.
func TestOneName(t *testing.T) {
	t.Parallel()
	arrive := visitor(t)
	for _, test := range []struct {
		source, channel string
		by              []string
	}{
		{"Facebook", "Organic Social", []string{
			"utm_source=facebook", "utm_source=Facebook", "utm_source=FACEBOOK", "utm_source=fb", "utm_source=FB", "utm_source=fcb", "utm_source=facebook.com",
			"utm_source=m.facebook.com", "utm_source=https://www.facebook.com/groups/1", "utm_source=facebook.com/ads", "utm_source=com.facebook.katana", "ref=fb", "source=facebook", "fbclid=1",
			"https://www.facebook.com/", "https://l.facebook.com/l.php", "https://lm.facebook.com/", "https://fb.me/x", "android-app://com.facebook.katana/", "ios-app://284882215/x",
		}},
		{"Facebook", "Paid Social", []string{"utm_source=facebook_ads", "utm_source=fb-ads", "utm_source=fbads", "utm_source=fbad", "utm_source=Facebook Ads", "utm_source=facebook_feed_ad", "utm_source=fb%26utm_medium=cpc"}},
		{"Instagram", "Organic Social", []string{"utm_source=ig", "utm_source=IG", "utm_source=instagram", "utm_source=instagram.com", "igshid=1", "https://l.instagram.com/", "android-app://com.instagram.android"}},
		{"Instagram", "Paid Social", []string{"utm_source=instagram_ads", "utm_source=ig-ads", "utm_source=ig%26utm_medium=paid"}},
		{"Messenger", "Organic Social", []string{"utm_source=msg", "utm_source=messenger", "https://l.messenger.com/", "https://www.messenger.com/t/1", "https://m.me/x", "android-app://com.facebook.orca/"}},
		{"Meta Audience Network", "Paid Social", []string{"utm_source=an", "utm_source=audience_network", "utm_source=AN%26utm_medium=paid"}},
		{"Meta", "Organic Social", []string{"utm_source=meta", "utm_source=Meta"}},
		{"Meta", "Paid Social", []string{"utm_source=meta-ads", "utm_source=meta_ads", "utm_source=meta%26utm_medium=cpc"}},
		{"X", "Organic Social", []string{"utm_source=twitter", "utm_source=Twitter", "utm_source=x", "utm_source=twitter.com", "https://t.co/abc", "https://twitter.com/", "https://x.com/", "https://mobile.twitter.com/", "android-app://com.twitter.android/"}},
		{"X", "Paid Social", []string{"utm_source=twitter-ads", "twclid=1"}},
		{"YouTube", "Organic Video", []string{"utm_source=yt", "utm_source=youtube", "utm_source=YouTube", "https://www.youtube.com/", "https://m.youtube.com/watch", "https://youtu.be/x", "android-app://com.google.android.youtube/"}},
		{"YouTube", "Paid Video", []string{"utm_source=yt-ads", "utm_source=youtubeads", "utm_source=youtube%26utm_medium=cpv"}},
		{"Google", "Organic Search", []string{
			"utm_source=google", "utm_source=Google", "utm_source=google.com", "utm_source=www.google.com", "utm_source=https://www.google.com/", "utm_source=HTTPS://WWW.GOOGLE.DE/",
			"utm_source=google.co.uk", "utm_source=google_business_profile", "utm_source=gmb", "srsltid=1", "https://www.google.com/", "https://www.google.co.uk/", "https://google.com.br/",
			"https://images.google.de/", "https://news.google.com/", "https://lens.google.com/", "https://syndicatedsearch.goog/", "https://cse.google.com/",
			"android-app://com.google.android.googlequicksearchbox/", "android-app://com.google.android.googlequicksearchbox/https/www.google.com", "ANDROID-APP://com.google.android.googlequicksearchbox", "ios-app://284815942/",
		}},
		{"Google", "Paid Search", []string{
			"utm_source=adwords", "utm_source=Adwords", "utm_source=google_ads", "utm_source=google-ads", "utm_source=googleads", "utm_source=google ads", "utm_source=gads",
			"gclid=1", "wbraid=1", "gbraid=1", "utm_source=google%26utm_medium=organic%26gclid=1", "utm_source=google%26utm_medium=cpc",
		}},
		{"Bing", "Organic Search", []string{"utm_source=bing", "https://www.bing.com/", "https://cn.bing.com/", "android-app://com.microsoft.bing"}},
		{"Bing", "Paid Search", []string{"utm_source=bing-ads", "utm_source=bingads", "utm_source=microsoft_ads", "msclkid=1"}},
		{"Yahoo!", "Organic Search", []string{"utm_source=yahoo", "utm_source=Yahoo!", "https://search.yahoo.com/", "https://de.search.yahoo.com/", "https://www.yahoo.com/", "https://search.yahoo.co.jp/"}},
		{"DuckDuckGo", "Organic Search", []string{"utm_source=duckduckgo", "https://duckduckgo.com/", "android-app://com.duckduckgo.mobile.android"}},
		{"Sogou", "Organic Search", []string{"utm_source=sogou", "https://www.sogou.com/", "https://m.sogou.com/", "https://wap.sogou.com/"}},
		{"Yandex", "Organic Search", []string{"utm_source=yandex", "https://yandex.ru/", "https://yandex.com.tr/", "https://ya.ru/", "https://yandex.uz/"}},
		{"VK", "Organic Social", []string{"utm_source=vk", "utm_source=vk.com", "utm_source=vkontakte", "https://vk.com/", "https://away.vk.com/away.php", "https://m.vk.com/", "https://vkontakte.ru/", "android-app://com.vkontakte.android"}},
		{"LinkedIn", "Organic Social", []string{"utm_source=linkedin", "utm_source=LinkedIn", "utm_source=linked-in", "utm_source=linked_in", "https://www.linkedin.com/", "https://lnkd.in/x", "android-app://com.linkedin.android/"}},
		{"LinkedIn", "Paid Social", []string{"utm_source=linkedin-ads", "li_fat_id=1"}},
		{"TikTok", "Organic Social", []string{"utm_source=tiktok", "utm_source=tik.tok", "utm_source=TikTok", "https://www.tiktok.com/", "android-app://com.zhiliaoapp.musically"}},
		{"Reddit", "Organic Social", []string{"utm_source=reddit", "https://out.reddit.com/", "https://old.reddit.com/", "https://redd.it/", "android-app://com.reddit.frontpage/"}},
		{"Pinterest", "Organic Social", []string{"utm_source=pinterest", "https://www.pinterest.com/", "https://www.pinterest.co.uk/", "https://br.pinterest.com/", "https://pin.it/x", "android-app://com.pinterest/"}},
		{"Hacker News", "Organic Social", []string{"utm_source=hackernews", "utm_source=hacker-news", "utm_source=Hacker News", "utm_source=hacker_news", "https://news.ycombinator.com/item"}},
		{"Microsoft Teams", "Organic Social", []string{"utm_source=teams", "https://teams.microsoft.com/", "https://statics.teams.cdn.office.net/", "https://teams.live.com/"}},
		{"LINE", "Organic Social", []string{"utm_source=line", "https://line.me/", "https://liff.line.me/", "android-app://jp.naver.line.android"}},
		{"Steam", "Organic Social", []string{"https://steamcommunity.com/linkfilter/"}},
		{"Telegram", "Organic Social", []string{"utm_source=telegram", "https://t.me/", "https://web.telegram.org/", "https://webk.telegram.org/", "android-app://org.telegram.messenger/"}},
		{"Discord", "Organic Social", []string{"utm_source=discord", "https://discord.com/", "https://discordapp.com/", "https://ptb.discord.com/"}},
		{"Temu", "Organic Shopping", []string{"utm_source=temu", "https://www.temu.com/"}},
		{"Amazon", "Organic Shopping", []string{"utm_source=amazon", "https://www.amazon.com/", "https://www.amazon.co.jp/"}},
		{"ChatGPT", "AI Assistants", []string{"utm_source=chatgpt.com", "utm_source=chatgpt", "utm_source=openai", "https://chatgpt.com/", "https://chat.openai.com/", "android-app://com.openai.chatgpt"}},
		{"Perplexity", "AI Assistants", []string{"utm_source=perplexity", "https://www.perplexity.ai/", "https://pplx.ai/x"}},
		{"Microsoft Copilot", "AI Assistants", []string{"utm_source=copilot", "utm_source=copilot.com", "https://copilot.microsoft.com/", "https://copilot.com/", "https://m365.cloud.microsoft/chat", "https://edgeservices.bing.com/"}},
		{"Duck.ai", "AI Assistants", []string{"utm_source=duck.ai", "https://duck.ai/"}},
		{"Gmail", "Email", []string{"utm_source=gmail", "https://mail.google.com/", "android-app://com.google.android.gm/"}},
		{"newsletter", "Email", []string{"utm_source=newsletter", "utm_source=Newsletter", "utm_source=NEWSLETTER", "utm_source=%20newsletter%20", "ref=newsletter"}},
		{"blog.example.org", "Referral", []string{"utm_source=blog.example.org", "utm_source=Blog.Example.org", "utm_source=www.blog.example.org", "utm_source=www.blog.example.org/post", "utm_source=https://blog.example.org/post", "https://blog.example.org/post", "https://www.blog.example.org"}},
		{"v1.2/beta", "Referral", []string{"utm_source=v1.2/Beta"}},
		{"com.example.reader", "Referral", []string{"utm_source=com.example.reader", "utm_source=android-app://com.example.Reader", "android-app://com.example.reader/https/example.com/secret"}},
		{"Wikipedia", "Referral", []string{"utm_source=wikipedia", "https://en.wikipedia.org/", "https://be-tarask.m.wikipedia.org/"}},
		{enrich.Direct, "Direct", []string{"", "utm_source=(direct)", "utm_source=(not set)%26utm_medium=(none)", "about:client", "android-app://x"}},
	} {
		for _, by := range test.by {
			query, referrer := strings.ReplaceAll(by, "%26", "&"), ""
			if strings.Contains(by, ":") && !strings.Contains(by, "=") {
				query, referrer = "", by
			}
			got := arrive(t, query, referrer)
			if got.Source != test.source || got.Channel != test.channel {
				t.Errorf("%s: the source is %q by %q, want %q by %q", by, got.Source, got.Channel, test.source, test.channel)
			}
			if values, err := url.ParseQuery(query); err == nil && got.UTMSource != values.Get("utm_source") {
				t.Errorf("%s: utm_source is %q, not as sent", by, got.UTMSource)
			}
		}
	}
}

// TestCommonWords checks that a word in a campaign stands for no source of that name which
// hardly anybody means.
func TestCommonWords(t *testing.T) {
	t.Parallel()
	arrive := visitor(t)
	for _, word := range []string{
		"www", "orange", "free", "alexa", "vodafone", "virgin", "crawler", "search", "web", "internet", "mail", "shop", "store", "target", "otto",
		"excite", "centrum", "hey", "pi", "titan", "kick", "yep", "online", "blog", "news", "website", "app", "partner", "other", "all", "start", "goo",
		"clix", "flix", "delfi", "dodo", "charter", "interia", "tiscali", "witch", "dmoz", "url", "lo", "eo", "arama", "buffer", "ad", "ads",
	} {
		got := arrive(t, "utm_source="+word, "")
		if got.Source != word || got.Channel != "Referral" {
			t.Errorf("%s: the source is %q by %q", word, got.Source, got.Channel)
		}
	}
}

// TestChannels follows the definitions of Google Analytics' default channel group, and then
// the differences that docs/enrichment.md names.
func TestChannels(t *testing.T) {
	t.Parallel()
	arrive := visitor(t)
	for query, channel := range map[string]string{
		"utm_source=(direct)&utm_medium=(none)":    "Direct",
		"utm_source=(direct)&utm_medium=(not set)": "Direct",

		"utm_campaign=x-cross-network-1":                              "Cross-network",
		"utm_source=google&utm_medium=cpc&utm_campaign=Cross-Network": "Cross-network",

		"utm_source=amazon&utm_medium=cpc":                                 "Paid Shopping",
		"utm_source=igshopping&utm_medium=paid":                            "Paid Shopping",
		"utm_source=google&utm_medium=cpc&utm_campaign=shop":               "Paid Shopping",
		"utm_source=google&utm_medium=cpc&utm_campaign=Autumn-Shop":        "Paid Shopping",
		"utm_source=google&utm_medium=cpc&utm_campaign=eshop":              "Paid Shopping",
		"utm_source=facebook&utm_medium=paid_social&utm_campaign=shopping": "Paid Shopping",
		"utm_source=somebody&utm_medium=ppc&utm_campaign=my_shopping_1":    "Paid Shopping",
		"utm_source=google&utm_medium=cpc&utm_campaign=workshop":           "Paid Search",
		"utm_source=google&utm_medium=cpc&utm_campaign=bishop-hopshop":     "Paid Search",

		"utm_source=google&utm_medium=cpc":         "Paid Search",
		"utm_source=google&utm_medium=CPC":         "Paid Search",
		"utm_source=google&utm_medium=cpc_brand":   "Paid Search",
		"utm_source=google&utm_medium=brand-cpc":   "Paid Search",
		"utm_source=google&utm_medium=cpm":         "Paid Search",
		"utm_source=google&utm_medium=cpv":         "Paid Search",
		"utm_source=bing&utm_medium=ppc":           "Paid Search",
		"utm_source=google&utm_medium=retargeting": "Paid Search",
		"utm_source=google&utm_medium=paidsearch":  "Paid Search",
		"utm_source=google&utm_medium=paid":        "Paid Search",
		"utm_source=google&utm_medium=ads&gclid=1": "Paid Search",

		"utm_source=facebook&utm_medium=cpc":         "Paid Social",
		"utm_source=facebook&utm_medium=cpm":         "Paid Social",
		"utm_source=fb&utm_medium=paid-social":       "Paid Social",
		"utm_source=linkedin&utm_medium=retargeting": "Paid Social",

		"utm_source=youtube&utm_medium=cpv": "Paid Video",
		"utm_source=vimeo&utm_medium=paid":  "Paid Video",

		"utm_source=somebody&utm_medium=display":       "Display",
		"utm_source=somebody&utm_medium=banner":        "Display",
		"utm_source=somebody&utm_medium=expandable":    "Display",
		"utm_source=somebody&utm_medium=interstitial":  "Display",
		"utm_source=somebody&utm_medium=cpm":           "Display",
		"utm_source=google&utm_medium=display":         "Display",
		"utm_source=google&utm_medium=display&gclid=1": "Display",
		"utm_source=facebook&utm_medium=banner":        "Display",

		"utm_source=somebody&utm_medium=cpc":         "Paid Other",
		"utm_source=somebody&utm_medium=paid-search": "Paid Other",
		"utm_source=chatgpt&utm_medium=cpc":          "Paid Other",
		"utm_medium=cpc":                             "Paid Other",

		"utm_source=etsy":                                        "Organic Shopping",
		"utm_source=somebody&utm_campaign=shop":                  "Organic Shopping",
		"utm_source=facebook&utm_campaign=spring_shop":           "Organic Shopping",
		"utm_source=somebody&utm_medium=email&utm_campaign=shop": "Organic Shopping",

		"utm_source=instagram":                          "Organic Social",
		"utm_source=instagram&utm_medium=referral":      "Organic Social",
		"utm_source=somebody&utm_medium=social":         "Organic Social",
		"utm_source=somebody&utm_medium=Social":         "Organic Social",
		"utm_source=somebody&utm_medium=social-network": "Organic Social",
		"utm_source=somebody&utm_medium=social-media":   "Organic Social",
		"utm_source=somebody&utm_medium=sm":             "Organic Social",
		"utm_source=somebody&utm_medium=social+network": "Organic Social",
		"utm_source=somebody&utm_medium=social+media":   "Organic Social",

		"utm_source=twitch":                              "Organic Video",
		"utm_source=somebody&utm_medium=video":           "Organic Video",
		"utm_source=somebody&utm_medium=instream-video1": "Organic Video",

		"utm_source=baidu":                       "Organic Search",
		"utm_source=somebody&utm_medium=organic": "Organic Search",
		"utm_source=bing&utm_medium=email":       "Organic Search",

		"utm_source=somebody&utm_medium=referral": "Referral",
		"utm_medium=referral":                     "Referral",
		"utm_medium=app":                          "Referral",
		"utm_medium=link":                         "Referral",
		"utm_source=email&utm_medium=referral":    "Referral",

		"utm_source=email":                            "Email",
		"utm_source=E-Mail":                           "Email",
		"utm_source=e_mail":                           "Email",
		"utm_source=e+mail":                           "Email",
		"utm_source=somebody&utm_medium=email":        "Email",
		"utm_source=somebody&utm_medium=e-mail":       "Email",
		"utm_source=somebody&utm_medium=e_mail":       "Email",
		"utm_source=somebody&utm_medium=e+mail":       "Email",
		"utm_source=somebody&utm_medium=weekly-email": "Email",
		"utm_medium=email":                            "Email",

		"utm_source=somebody&utm_medium=affiliate":           "Affiliates",
		"utm_source=somebody&utm_medium=audio":               "Audio",
		"utm_source=sms":                                     "SMS",
		"utm_source=somebody&utm_medium=sms":                 "SMS",
		"utm_source=somebody&utm_medium=webpush":             "Mobile Push Notifications",
		"utm_source=somebody&utm_medium=push":                "Mobile Push Notifications",
		"utm_source=somebody&utm_medium=mobile":              "Mobile Push Notifications",
		"utm_source=somebody&utm_medium=in-app-notification": "Mobile Push Notifications",
		"utm_source=firebase":                                "Mobile Push Notifications",

		// Where Google Analytics says "Unassigned", and other differences.
		"utm_source=somebody":                              "Referral",
		"utm_source=somebody&utm_medium=something":         "Referral",
		"utm_medium=something":                             "Direct",
		"utm_campaign=something":                           "Direct",
		"utm_source=chatgpt.com":                           "AI Assistants",
		"utm_source=somebody&utm_medium=ai-assistant":      "AI Assistants",
		"utm_source=newsletter":                            "Email",
		"utm_source=somebody&utm_medium=newsletter":        "Email",
		"utm_source=somebody&utm_medium=affiliates":        "Affiliates",
		"utm_source=somebody&utm_medium=social_media":      "Organic Social",
		"utm_source=doubleclick":                           "Paid Other",
		"utm_source=facebook_ads&utm_medium=social":        "Paid Social",
		"utm_source=somebody&gclid=1":                      "Paid Other",
		"utm_source=newsletter&utm_medium=email&gclid=1":   "Email",
		"utm_source=facebook&utm_medium=social&fbclid=1":   "Organic Social",
		"utm_source=mailchimp&utm_medium=campaign":         "Email",
		"utm_source=gmailer&utm_medium=campaign":           "Referral",
		"utm_source=google&utm_medium=something&fbclid=1":  "Organic Search",
		"utm_source=google&utm_medium=something&msclkid=1": "Organic Search",
	} {
		if got := arrive(t, query, ""); got.Channel != channel {
			t.Errorf("%s: the channel is %q, want %q", query, got.Channel, channel)
		}
	}
}

// TestReferrers checks hosts whose channel is not that of their parent domain, and others.
func TestReferrers(t *testing.T) {
	t.Parallel()
	arrive := visitor(t)
	for channel, hosts := range map[string]string{
		"Referral": `docs.google.com classroom.google.com meet.google.com calendar.google.com drive.google.com tagassistant.google.com
			accounts.google.com support.google.com developers.google.com maps.google.com translate.google.com keep.google.com photos.google.com
			analytics.google.com ads.google.com workspace.google.com chat.google.com forms.google.com scholar.google.com google.example.com google.example
			finance.yahoo.com sports.yahoo.com maps.yandex.ru disk.yandex.ru docs.yandex.ru music.yandex.ru cloud.mail.ru news.mail.ru pan.baidu.com
			mybox.naver.com aws.amazon.com docs.aws.amazon.com cnn.com login.live.com someone.blogspot.com someone.wordpress.com`,
		"AI Assistants": `notebooklm.google.com aistudio.google.com gemini.google.com bard.google.com yiyan.baidu.com`,
		"Organic Social": `groups.google.com sites.google.com blog.naver.com cafe.naver.com tieba.baidu.com answers.yahoo.com my.mail.ru
			blogspot.com wordpress.com medium.com someone.medium.com someone.tumblr.com statics.teams.cdn.office.net`,
		"Organic Search": `google.com google.com.au news.google.com search.yahoo.com uk.search.yahoo.com m.baidu.com search.naver.com go.mail.ru
			search.brave.com lite.qwant.com html.duckduckgo.com ntp.msn.com meta.ua metager.de syndicatedsearch.goog`,
		"Organic Shopping": `shopping.google.com shopping.yahoo.co.jp shopping.naver.com smile.amazon.de temu.com`,
		"Organic Video":    `m.youtube.com player.vimeo.com id.twitch.tv`,
		"Paid Other":       `googleadservices.com ad.doubleclick.net googleads.g.doubleclick.net trc.taboola.com`,
	} {
		for host := range strings.FieldsSeq(hosts) {
			got := arrive(t, "", "https://"+host+"/")
			if got.Channel != channel || got.Referrer != host {
				t.Errorf("%s: the channel is %q of the referrer %q, want %q", host, got.Channel, got.Referrer, channel)
			}
			if channel == "Referral" && got.Source != host && !strings.Contains(host, "aws.") && host != "maps.yandex.ru" {
				t.Errorf("%s: the source is %q", host, got.Source)
			}
		}
	}
}

// TestWebmail checks hosts from which people read mail.
func TestWebmail(t *testing.T) {
	t.Parallel()
	arrive := visitor(t)
	for host := range strings.FieldsSeq(`
		mail.google.com inbox.google.com outlook.live.com outlook.office.com outlook.office365.com outlook.cloud.microsoft mail.live.com
		mail.yahoo.com mail.yahoo.co.jp uk.mail.yahoo.com mail.aol.com mail.aol.co.uk www.icloud.com mail.proton.me mail.protonmail.com
		app.fastmail.com app.tuta.com mail.tutanota.com app.hey.com mail.superhuman.com app.startmail.com mailfence.com hushmail.com
		runbox.com posteo.de app.mailbox.org office.mailbox.org mail.zoho.com mail.zoho.eu mail.zoho.in app.titan.email mailo.com
		deref-gmx.net deref-gmx.de deref-gmx.at deref-gmx.ch deref-gmx.com deref-gmx.co.uk 3c.gmx.net navigator.gmx.net bap.navigator.gmx.net
		navigator-bs.gmx.com lightmailer-bs.gmx.net deref-web.de 3c.web.de 3c-bap.web.de navigator.web.de lightmailer-bap.web.de
		deref-mail.com navigator-lxa.mail.com 3c-lxa.mail.com deref-1und1.de deref-1und1-02.de webmailer.1und1.de
		email.t-online.de email.ionos.de email.ionos.com email.ionos.co.uk email.ionos.es mailbusiness.ionos.de mail.vodafone.de mail.arcor.de
		webmail.freenet.de mail.freenet.de webmail.strato.de messagerie.orange.fr messageriepro3.orange.fr mail01.orange.fr wmail.orange.fr
		webmail.laposte.net zimbra.free.fr webmail.free.fr webmail.sfr.fr webmail.bbox.fr mail.libero.it posta.libero.it webmail.tim.it
		mail.tiscali.it webmail.aruba.it webmail.pec.it mail.virgilio.it correo.movistar.es poczta.onet.pl poczta.wp.pl poczta.o2.pl
		poczta.interia.pl email.seznam.cz email.cz mail.centrum.cz mail.inbox.lv www.inbox.lv abv.bg freemail.hu mail.bg mail.ee
		e.mail.ru touch.mail.ru mail.yandex.ru mail.yandex.com mail.rambler.ru mail.ukr.net webmail.meta.ua mail.i.ua
		mail.qq.com wx.mail.qq.com exmail.qq.com mail.163.com mail.126.com mail.sina.com.cn mail.sohu.com mail.aliyun.com mail.naver.com
		mail.daum.net mail2.daum.net mail.nate.com mail.rediff.com f4mail.rediff.com mail.biglobe.ne.jp mail.nifty.com
		connect.xfinity.com mail.comcast.net webmail.cox.net webmail.spectrum.net webmail.earthlink.net mail.optimum.net mail.btinternet.com
		mail.virginmedia.com mail.sky.com webmail.telenet.be webmail.proximus.be webmail.ziggo.nl webmail.kpnmail.nl webmail.xs4all.nl
		email.bluewin.ch webmail.bluewin.ch mail.infomaniak.com email.telstra.com webmail.bigpond.com webmail.optuszoo.com.au
		email.uol.com.br mail.terra.com.br mail.bol.com.br email.walla.co.il webmail.one.com webmail.gandi.net webmail.register.it
		webmail.hostinger.com roundcube.example.org owa.example.org zimbra.example.org webmail.example.org webmail2.example.org webmail-01.example.org mail.example.org
		outlook.example.org horde.example.org lightmailer.gmx.net rich-v01.bluewin.ch upcmail.hispeed.ch mail.de`) {
		if got := arrive(t, "", "https://"+host+"/mail/"); got.Channel != "Email" {
			t.Errorf("%s: the source is %q by %q", host, got.Source, got.Channel)
		}
	}
	for host, channel := range map[string]string{
		"mail.ru": "Organic Search", "email.example": "Referral", "mail-order.example.org": "Referral", "gmx.net": "Referral", "orange.fr": "Referral",
	} {
		if got := arrive(t, "", "https://"+host+"/"); got.Channel != channel {
			t.Errorf("%s: the source is %q by %q", host, got.Source, got.Channel)
		}
	}
}

// TestApps checks the referrer that is stored for an app: no link within it.
func TestApps(t *testing.T) {
	t.Parallel()
	for referrer, want := range map[string]string{
		"android-app://com.google.android.gm/": "android-app://com.google.android.gm",
		"android-app://com.Slack":              "android-app://com.slack",
		"android-app://com.google.android.googlequicksearchbox/https/www.google.com/jane": "android-app://com.google.android.googlequicksearchbox",
		"android-app://com.example.reader?secret#jane":                                    "android-app://com.example.reader",
		"ios-app://284815942/comgoogle/?q=secret":                                         "ios-app://284815942",
		"ios-app://com.apple.mobilemail":                                                  "ios-app://com.apple.mobilemail",
		"android-app://":                                                                  "",
		"android-app://reader":                                                            "",
		"android-app://com.example.reader jane":                                           "",
		"android-app://jane@example.com/":                                                 "",
		"ms-app://com.example.reader":                                                     "",
		"android-app:com.example.reader":                                                  "",
		"android-app://" + strings.Repeat("a.", 200):                                      "",
	} {
		got := arrive(t, "", referrer)
		if got.Referrer != want {
			t.Errorf("%s is stored as %q, want %q", referrer, got.Referrer, want)
		}
		if want == "" && got.Channel != enrich.ChannelDirect {
			t.Errorf("%s: the channel is %q", referrer, got.Channel)
		}
	}
}
