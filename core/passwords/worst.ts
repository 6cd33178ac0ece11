/**
 * Passwords of at least eight characters that head every list of leaked ones, lower case; those
 * that only end in digits or marks are found by their beginning (policy.ts).
 */
export const WORST: ReadonlySet<string> = new Set(
  `12345678 123456789 1234567890 0123456789 87654321 987654321 0987654321 123123123 12341234
  11223344 112233445566 147258369 789456123 159753456 123654789 10203040 31415926 19841984
  password passwort password passw0rd p@ssword p@ssw0rd pa55word pass1234 passpass mypassword
  password1 newpassword thepassword changeme changeit letmein1 letmeinnow welcome1 welcomehome
  qwertyui qwertyuiop qwerty12 qwerty123 1qaz2wsx 1q2w3e4r 1q2w3e4r5t q1w2e3r4 q1w2e3r4t5 qazwsxedc
  qazwsxed zaq12wsx zxcvbnm1 zxcvbnma asdfghjk asdfghjkl asdf1234 asdfasdf abcd1234 abcdefgh
  abcdefghi abcdefg1 abc12345 abcabcabc a1b2c3d4 aa123456 1234abcd 1234qwer qwer1234 iloveyou
  iloveyou1 ilovegod sunshine princess football baseball basketball superman spiderman batman123
  starwars startrek pokemon1 dragon12 monkey12 shadow12 master12 trustno1 whatever jennifer
  jonathan michelle michael1 computer internet corvette mercedes chelsea1 arsenal1 liverpool
  manchester barcelona realmadrid steelers yankees1 cocacola chocolate butterfly hello123
  helloworld blink182 metallica nirvana1 samsung1 google123 facebook linkedin dropbox1 adobe123
  administrator admin123 admin1234 adminadmin root1234 rootroot toor1234 testtest test1234
  testing1 tester12 guest123 default1 temp1234 login123 access14 secret12 secret123 topsecret
  football1 baseball1 charlie1 thomas12 george12 killer12 hunter12 summer12 winter12 spring12
  autumn12 monday12 friday12 january1 december november october1 freedom1 fuckyou1 asshole1
  biteme12 lovelove babygirl sweetheart blahblah 11111111 00000000 88888888 99999999 66666666
  77777777 55555555 12121212 13131313 69696969 21212121 aaaaaaaa abababab qwqwqwqw zzzzzzzz
  correcthorsebatterystaple correct-horse-battery-staple berthberth berth123 letmein welcome
  qwerty admin password summer winter spring autumn monday friday secret dragon monkey master
  shadow`
    .split(/\s+/)
    .filter((word) => word !== ""),
);
