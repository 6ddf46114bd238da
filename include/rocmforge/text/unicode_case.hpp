// Removes accents from characters and makes them lower case, as BERT's tokenizers do.
// Source: The Unicode Standard 14, UnicodeData.txt (decompositions, lower-case mappings). The runs
// below are complete; a test checks their sums.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace rocmforge {

namespace unicode_detail {

/// A run of characters from `first` on, each with the first character of its full canonical
/// decomposition; '-' marks a character without one.
struct base_run {
  char32_t first;
  std::u32string_view bases;
};

// clang-format off
inline constexpr base_run base_runs[] = {
    {0x00C0, U"AAAAAA-CEEEEIIII-NOOOOO--UUUUY--aaaaaa-ceeeeiiii-nooooo--uuuuy-yAaAaAaCcCcCcCc"
             U"Dd--EeEeEeEeEeGgGgGgGgHh--IiIiIiIiI---JjKk-LlLlLl----NnNnNn---OoOoOo--RrRrRrSs"
             U"SsSsSsTtTt--UuUuUuUuUuUuWwYyYZzZzZz"},
    {0x01A0, U"Oo"},
    {0x01AF, U"Uu"},
    {0x01CD, U"AaIiOoUuUuUuUuUu-AaAaÆæ--GgKkOoOoƷʒj---Gg--NnAaÆæØøAaAaEeEeIiIiOoOoRrRrUuUuSsT"
             U"t--Hh"},
    {0x0226, U"AaEeOoOoOoOoYy"},
    {0x0340, U"\u0300\u0301-\u0313\u0308"},
    {0x0374, U"ʹ"},
    {0x037E, U";"},
    {0x0385, U"¨Α·ΕΗΙ-Ο-ΥΩι"},
    {0x03AA, U"ΙΥαεηιυ"},
    {0x03CA, U"ιυουω----ϒϒ"},
    {0x0400, U"ЕЕ-Г---І----КИУ"},
    {0x0419, U"И"},
    {0x0439, U"и"},
    {0x0450, U"ее-г---і----киу"},
    {0x0476, U"Ѵѵ"},
    {0x04C1, U"Жж"},
    {0x04D0, U"АаАа--Ее--ӘәЖжЗз--ИиИиОо--ӨөЭэУуУуУуЧч--Ыы"},
    {0x0622, U"\u0627\u0627\u0648\u0627\u064A"},
    {0x06C0, U"\u06D5-\u06C1"},
    {0x06D3, U"\u06D2"},
    {0x0929, U"न"},
    {0x0931, U"र--ळ"},
    {0x0958, U"कखगजडढफय"},
    {0x09CB, U"\u09C7\u09C7"},
    {0x09DC, U"ডঢ-য"},
    {0x0A33, U"ਲ--ਸ"},
    {0x0A59, U"ਖਗਜ--ਫ"},
    {0x0B48, U"\u0B47--\u0B47\u0B47"},
    {0x0B5C, U"ଡଢ"},
    {0x0B94, U"ஒ"},
    {0x0BCA, U"\u0BC6\u0BC7\u0BC6"},
    {0x0C48, U"\u0C46"},
    {0x0CC0, U"\u0CBF"},
    {0x0CC7, U"\u0CC6\u0CC6-\u0CC6\u0CC6"},
    {0x0D4A, U"\u0D46\u0D47\u0D46"},
    {0x0DDA, U"\u0DD9-\u0DD9\u0DD9\u0DD9"},
    {0x0F43, U"ག"},
    {0x0F4D, U"ཌ----ད----བ----ཛ"},
    {0x0F69, U"ཀ"},
    {0x0F73, U"\u0F71-\u0F71\u0FB2-\u0FB3"},
    {0x0F81, U"\u0F71"},
    {0x0F93, U"\u0F92"},
    {0x0F9D, U"\u0F9C----\u0FA1----\u0FA6----\u0FAB"},
    {0x0FB9, U"\u0F90"},
    {0x1026, U"ဥ"},
    {0x1B06, U"ᬅ-ᬇ-ᬉ-ᬋ-ᬍ---ᬑ"},
    {0x1B3B, U"\u1B3A-\u1B3C--\u1B3E\u1B3F-\u1B42"},
    {0x1E00, U"AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMmNnNnNnNnOo"
             U"OoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVvWwWwWwWwWwXxXxYyZzZzZzhtwy-ſ"
             U"----AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUu"
             U"UuUuUuUuYyYyYyYy"},
    {0x1F00, U"ααααααααΑΑΑΑΑΑΑΑεεεεεε--ΕΕΕΕΕΕ--ηηηηηηηηΗΗΗΗΗΗΗΗιιιιιιιιΙΙΙΙΙΙΙΙοοοοοο--ΟΟΟΟΟΟ"
             U"--υυυυυυυυ-Υ-Υ-Υ-ΥωωωωωωωωΩΩΩΩΩΩΩΩααεεηηιιοουυωω--ααααααααΑΑΑΑΑΑΑΑηηηηηηηηΗΗΗΗ"
             U"ΗΗΗΗωωωωωωωωΩΩΩΩΩΩΩΩααααα-ααΑΑΑΑΑ-ι--¨ηηη-ηηΕΕΗΗΗ᾿᾿᾿ιιιι--ιιΙΙΙΙ-῾῾῾υυυυρρυυΥΥ"
             U"ΥΥΡ¨¨`--ωωω-ωωΟΟΩΩΩ´--  "},
    {0x2126, U"Ω---KA"},
    {0x219A, U"←→"},
    {0x21AE, U"↔"},
    {0x21CD, U"⇐⇔⇒"},
    {0x2204, U"∃----∈--∋"},
    {0x2224, U"∣-∥"},
    {0x2241, U"∼--≃--≅-≈"},
    {0x2260, U"=-≡"},
    {0x226D, U"≍<>≤≥--≲≳--≶≷"},
    {0x2280, U"≺≻--⊂⊃--⊆⊇"},
    {0x22AC, U"⊢⊨⊩⊫"},
    {0x22E0, U"≼≽⊑⊒"},
    {0x22EA, U"⊲⊳⊴⊵"},
    {0x2329, U"〈〉"},
    {0x2ADC, U"⫝"},
    {0x304C, U"か-き-く-け-こ-さ-し-す-せ-そ-た-ち--つ-て-と"},
    {0x3070, U"はは-ひひ-ふふ-へへ-ほほ"},
    {0x3094, U"う"},
    {0x309E, U"ゝ"},
    {0x30AC, U"カ-キ-ク-ケ-コ-サ-シ-ス-セ-ソ-タ-チ--ツ-テ-ト"},
    {0x30D0, U"ハハ-ヒヒ-フフ-ヘヘ-ホホ"},
    {0x30F4, U"ウ--ワヰヱヲ---ヽ"},
    {0xF900, U"豈更車賈滑串句龜龜契金喇奈懶癩羅蘿螺裸邏樂洛烙珞落酪駱亂卵欄爛蘭鸞嵐濫藍襤拉臘"
             U"蠟廊朗浪狼郎來冷勞擄櫓爐盧老蘆虜路露魯鷺碌祿綠菉錄鹿論壟弄籠聾牢磊賂雷壘屢樓淚"
             U"漏累縷陋勒肋凜凌稜綾菱陵讀拏樂諾丹寧怒率異北磻便復不泌數索參塞省葉說殺辰沈拾若"
             U"掠略亮兩凉梁糧良諒量勵呂女廬旅濾礪閭驪麗黎力曆歷轢年憐戀撚漣煉璉秊練聯輦蓮連鍊"
             U"列劣咽烈裂說廉念捻殮簾獵令囹寧嶺怜玲瑩羚聆鈴零靈領例禮醴隸惡了僚寮尿料樂燎療蓼"
             U"遼龍暈阮劉杻柳流溜琉留硫紐類六戮陸倫崙淪輪律慄栗率隆利吏履易李梨泥理痢罹裏裡里"
             U"離匿溺吝燐璘藺隣鱗麟林淋臨立笠粒狀炙識什茶刺切度拓糖宅洞暴輻行降見廓兀嗀--塚-"
             U"晴--凞猪益礼神祥福靖精羽-蘒-諸--逸都---飯飼館鶴郞隷侮僧免勉勤卑喝嘆器塀墨層屮"
             U"悔慨憎懲敏既暑梅海渚漢煮爫琢碑社祉祈祐祖祝禍禎穀突節練縉繁署者臭艹艹著褐視謁謹"
             U"賓贈辶逸難響頻恵𤋮舘--並况全侀充冀勇勺喝啕喙嗢塚墳奄奔婢嬨廒廙彩徭惘慎愈憎慠懲"
             U"戴揄搜摒敖晴朗望杖歹殺流滛滋漢瀞煮瞧爵犯猪瑱甆画瘝瘟益盛直睊着磌窱節类絛練缾者"
             U"荒華蝹襁覆視調諸請謁諾諭謹變贈輸遲醙鉶陼難靖韛響頋頻鬒龜𢡊𢡄𣏕㮝䀘䀹𥉉𥳐𧻓齃龎"},
    {0xFB1D, U"\u05D9-\u05F2"},
    {0xFB2A, U"\u05E9\u05E9\u05E9\u05E9\u05D0\u05D0\u05D0\u05D1\u05D2\u05D3\u05D4\u05D5\u05D6"
             U"-\u05D8\u05D9\u05DA\u05DB\u05DC-\u05DE-\u05E0\u05E1-\u05E3\u05E4-\u05E6\u05E7"
             U"\u05E8\u05E9\u05EA\u05D5\u05D1\u05DB\u05E4"},
    {0x1109A, U"𑂙-𑂛"},
    {0x110AB, U"𑂥"},
    {0x1112E, U"\U00011131\U00011132"},
    {0x1134B, U"\U00011347\U00011347"},
    {0x114BB, U"\U000114B9\U000114B9-\U000114B9"},
    {0x115BA, U"\U000115B8\U000115B9"},
    {0x11938, U"\U00011935"},
    {0x1D15E, U"𝅗𝅘𝅘𝅘𝅘𝅘𝅘"},
    {0x1D1BB, U"𝆹𝆺𝆹𝆺𝆹𝆺"},
    {0x2F800, U"丽丸乁𠄢你侮侻倂偺備僧像㒞𠘺免兔兤具𠔜㒹內再𠕋冗冤仌冬况𩇟凵刃㓟刻剆割剷㔕勇勉"
             U"勤勺包匆北卉卑博即卽卿卿卿𠨬灰及叟𠭣叫叱吆咞吸呈周咢哶唐啓啣善善喙喫喳嗂圖嘆圗"
             U"噑噴切壮城埴堍型堲報墬𡓤売壷夆多夢奢𡚨𡛪姬娛娧姘婦㛮㛼嬈嬾嬾𡧈寃寘寧寳𡬘寿将当"
             U"尢㞁屠屮峀岍𡷤嵃𡷦嵮嵫嵼巡巢㠯巽帨帽幩㡢𢆃㡼庰庳庶廊𪎒廾𢌱𢌱舁弢弢㣇𣊸𦇚形彫㣣"
             U"徚忍志忹悁㤺㤜悔𢛔惇慈慌慎慌慺憎憲憤憯懞懲懶成戛扝抱拔捐𢬌挽拼捨掃揤𢯱搢揅掩㨮"
             U"摩摾撝摷㩬敏敬𣀊旣書晉㬙暑㬈㫤冒冕最暜肭䏙朗望朡杞杓𣏃㭉柺枅桒梅𣑭梎栟椔㮝楂榣"
             U"槪檨𣚣櫛㰘次𣢧歔㱎歲殟殺殻𣪍𡴋𣫺汎𣲼沿泍汧洖派海流浩浸涅𣴞洴港湮㴳滋滇𣻑淹潮𣽞"
             U"𣾎濆瀹瀞瀛㶖灊災灷炭𠔥煅𤉣熜𤎫爨爵牐𤘈犀犕𤜵𤠔獺王㺬玥㺸㺸瑇瑜瑱璅瓊㼛甤𤰶甾𤲒"
             U"異𢆟瘐𤾡𤾸𥁄㿼䀈直𥃳𥃲𥄙𥄳眞真真睊䀹瞋䁆䂖𥐝硎碌磌䃣𥘦祖𥚚𥛅福秫䄯穀穊穏𥥼𥪧𥪧"
             U"竮䈂𥮫篆築䈧𥲀糒䊠糨糣紀𥾆絣䌁緇縂繅䌴𦈨𦉇䍙𦋙罺𦌾羕翺者𦓚𦔣聠𦖨聰𣍟䏕育脃䐋脾"
             U"媵𦞧𦞵𣎓𣎜舁舄辞䑫芑芋芝劳花芳芽苦𦬼若茝荣莭茣莽菧著荓菊菌菜𦰶𦵫𦳕䔫蓱蓳蔖𧏊蕤"
             U"𦼬䕝䕡𦾱𧃒䕫虐虜虧虩蚩蚈蜎蛢蝹蜨蝫螆䗗蟡蠁䗹衠衣𧙧裗裞䘵裺㒻𧢮𧥦䚾䛇誠諭變豕𧲨"
             U"貫賁贛起𧼯𠠄跋趼跰𠣞軔輸𨗒𨗭邔郱鄑𨜮鄛鈸鋗鋘鉼鏹鐕𨯺開䦕閷𨵷䧦雃嶲霣𩅅𩈚䩮䩶韠"
             U"𩐊䪲𩒖頋頋頩𩖶飢䬳餩馧駂駾䯎𩬰鬒鱀鳽䳎䳭鵧𪃎䳸𪄅𪈎𪊑麻䵖黹黾鼅鼏鼖鼻𪘀"},
};

/// Every `step`-th character from `first` to `last` has a lower-case form at distance `offset`.
struct lower_run {
  char32_t first, last, step;
  std::int32_t offset;
};

inline constexpr lower_run lower_runs[] = {
    {0x0041, 0x005A, 1, 32}, {0x00C6, 0x00C6, 1, 32}, {0x00D0, 0x00D0, 1, 32},
    {0x00D8, 0x00D8, 1, 32}, {0x00DE, 0x00DE, 1, 32}, {0x0110, 0x0110, 1, 1},
    {0x0126, 0x0126, 1, 1}, {0x0132, 0x0132, 1, 1}, {0x013F, 0x0141, 2, 1}, {0x014A, 0x014A, 1, 1},
    {0x0152, 0x0152, 1, 1}, {0x0166, 0x0166, 1, 1}, {0x0181, 0x0181, 1, 210},
    {0x0182, 0x0184, 2, 1}, {0x0186, 0x0186, 1, 206}, {0x0187, 0x0187, 1, 1},
    {0x0189, 0x018A, 1, 205}, {0x018B, 0x018B, 1, 1}, {0x018E, 0x018E, 1, 79},
    {0x018F, 0x018F, 1, 202}, {0x0190, 0x0190, 1, 203}, {0x0191, 0x0191, 1, 1},
    {0x0193, 0x0193, 1, 205}, {0x0194, 0x0194, 1, 207}, {0x0196, 0x0196, 1, 211},
    {0x0197, 0x0197, 1, 209}, {0x0198, 0x0198, 1, 1}, {0x019C, 0x019C, 1, 211},
    {0x019D, 0x019D, 1, 213}, {0x019F, 0x019F, 1, 214}, {0x01A2, 0x01A4, 2, 1},
    {0x01A6, 0x01A6, 1, 218}, {0x01A7, 0x01A7, 1, 1}, {0x01A9, 0x01A9, 1, 218},
    {0x01AC, 0x01AC, 1, 1}, {0x01AE, 0x01AE, 1, 218}, {0x01B1, 0x01B2, 1, 217},
    {0x01B3, 0x01B5, 2, 1}, {0x01B7, 0x01B7, 1, 219}, {0x01B8, 0x01B8, 1, 1},
    {0x01BC, 0x01BC, 1, 1}, {0x01C4, 0x01C4, 1, 2}, {0x01C5, 0x01C5, 1, 1}, {0x01C7, 0x01C7, 1, 2},
    {0x01C8, 0x01C8, 1, 1}, {0x01CA, 0x01CA, 1, 2}, {0x01CB, 0x01CB, 1, 1}, {0x01E4, 0x01E4, 1, 1},
    {0x01F1, 0x01F1, 1, 2}, {0x01F2, 0x01F2, 1, 1}, {0x01F6, 0x01F6, 1, -97},
    {0x01F7, 0x01F7, 1, -56}, {0x021C, 0x021C, 1, 1}, {0x0220, 0x0220, 1, -130},
    {0x0222, 0x0224, 2, 1}, {0x023A, 0x023A, 1, 10795}, {0x023B, 0x023B, 1, 1},
    {0x023D, 0x023D, 1, -163}, {0x023E, 0x023E, 1, 10792}, {0x0241, 0x0241, 1, 1},
    {0x0243, 0x0243, 1, -195}, {0x0244, 0x0244, 1, 69}, {0x0245, 0x0245, 1, 71},
    {0x0246, 0x024E, 2, 1}, {0x0370, 0x0372, 2, 1}, {0x0376, 0x0376, 1, 1},
    {0x037F, 0x037F, 1, 116}, {0x0391, 0x03A1, 1, 32}, {0x03A3, 0x03A9, 1, 32},
    {0x03CF, 0x03CF, 1, 8}, {0x03D8, 0x03EE, 2, 1}, {0x03F4, 0x03F4, 1, -60},
    {0x03F7, 0x03F7, 1, 1}, {0x03F9, 0x03F9, 1, -7}, {0x03FA, 0x03FA, 1, 1},
    {0x03FD, 0x03FF, 1, -130}, {0x0402, 0x0404, 2, 80}, {0x0405, 0x0406, 1, 80},
    {0x0408, 0x040B, 1, 80}, {0x040F, 0x040F, 1, 80}, {0x0410, 0x0418, 1, 32},
    {0x041A, 0x042F, 1, 32}, {0x0460, 0x0474, 2, 1}, {0x0478, 0x0480, 2, 1}, {0x048A, 0x04BE, 2, 1},
    {0x04C0, 0x04C0, 1, 15}, {0x04C3, 0x04CD, 2, 1}, {0x04D4, 0x04D4, 1, 1}, {0x04D8, 0x04D8, 1, 1},
    {0x04E0, 0x04E0, 1, 1}, {0x04E8, 0x04E8, 1, 1}, {0x04F6, 0x04F6, 1, 1}, {0x04FA, 0x052E, 2, 1},
    {0x0531, 0x0556, 1, 48}, {0x10A0, 0x10C5, 1, 7264}, {0x10C7, 0x10C7, 1, 7264},
    {0x10CD, 0x10CD, 1, 7264}, {0x13A0, 0x13EF, 1, 38864}, {0x13F0, 0x13F5, 1, 8},
    {0x1C90, 0x1CBA, 1, -3008}, {0x1CBD, 0x1CBF, 1, -3008}, {0x1E9E, 0x1E9E, 1, -7615},
    {0x1EFA, 0x1EFE, 2, 1}, {0x2132, 0x2132, 1, 28}, {0x2160, 0x216F, 1, 16},
    {0x2183, 0x2183, 1, 1}, {0x24B6, 0x24CF, 1, 26}, {0x2C00, 0x2C2F, 1, 48},
    {0x2C60, 0x2C60, 1, 1}, {0x2C62, 0x2C62, 1, -10743}, {0x2C63, 0x2C63, 1, -3814},
    {0x2C64, 0x2C64, 1, -10727}, {0x2C67, 0x2C6B, 2, 1}, {0x2C6D, 0x2C6D, 1, -10780},
    {0x2C6E, 0x2C6E, 1, -10749}, {0x2C6F, 0x2C6F, 1, -10783}, {0x2C70, 0x2C70, 1, -10782},
    {0x2C72, 0x2C72, 1, 1}, {0x2C75, 0x2C75, 1, 1}, {0x2C7E, 0x2C7F, 1, -10815},
    {0x2C80, 0x2CE2, 2, 1}, {0x2CEB, 0x2CED, 2, 1}, {0x2CF2, 0x2CF2, 1, 1}, {0xA640, 0xA66C, 2, 1},
    {0xA680, 0xA69A, 2, 1}, {0xA722, 0xA72E, 2, 1}, {0xA732, 0xA76E, 2, 1}, {0xA779, 0xA77B, 2, 1},
    {0xA77D, 0xA77D, 1, -35332}, {0xA77E, 0xA786, 2, 1}, {0xA78B, 0xA78B, 1, 1},
    {0xA78D, 0xA78D, 1, -42280}, {0xA790, 0xA792, 2, 1}, {0xA796, 0xA7A8, 2, 1},
    {0xA7AA, 0xA7AA, 1, -42308}, {0xA7AB, 0xA7AB, 1, -42319}, {0xA7AC, 0xA7AC, 1, -42315},
    {0xA7AD, 0xA7AD, 1, -42305}, {0xA7AE, 0xA7AE, 1, -42308}, {0xA7B0, 0xA7B0, 1, -42258},
    {0xA7B1, 0xA7B1, 1, -42282}, {0xA7B2, 0xA7B2, 1, -42261}, {0xA7B3, 0xA7B3, 1, 928},
    {0xA7B4, 0xA7C2, 2, 1}, {0xA7C4, 0xA7C4, 1, -48}, {0xA7C5, 0xA7C5, 1, -42307},
    {0xA7C6, 0xA7C6, 1, -35384}, {0xA7C7, 0xA7C9, 2, 1}, {0xA7D0, 0xA7D0, 1, 1},
    {0xA7D6, 0xA7D8, 2, 1}, {0xA7F5, 0xA7F5, 1, 1}, {0xFF21, 0xFF3A, 1, 32},
    {0x10400, 0x10427, 1, 40}, {0x104B0, 0x104D3, 1, 40}, {0x10570, 0x1057A, 1, 39},
    {0x1057C, 0x1058A, 1, 39}, {0x1058C, 0x10592, 1, 39}, {0x10594, 0x10595, 1, 39},
    {0x10C80, 0x10CB2, 1, 64}, {0x118A0, 0x118BF, 1, 32}, {0x16E40, 0x16E5F, 1, 32},
    {0x1E900, 0x1E921, 1, 34},
};
// clang-format on

/// The last run that starts at or before `c`, or null.
template <class Run, std::size_t NumRuns>
constexpr const Run* find_run(const Run (&runs)[NumRuns], char32_t c) {
  const auto after = std::ranges::upper_bound(runs, c, {}, &Run::first);
  return after == std::begin(runs) ? nullptr : after - 1;
}

}  // namespace unicode_detail

/// The first character of the canonical decomposition of `c`: the letter of an accented letter, the
/// leading consonant of a Korean syllable, `c` itself for most characters.
constexpr char32_t base_character(char32_t c) {
  constexpr char32_t first_syllable = 0xAC00, last_syllable = 0xD7A3, first_consonant = 0x1100;
  if (c >= first_syllable && c <= last_syllable) {
    return first_consonant + (c - first_syllable) / (21 * 28);  // vowels times final consonants
  }
  const unicode_detail::base_run* run = unicode_detail::find_run(unicode_detail::base_runs, c);
  if (run == nullptr || c - run->first >= run->bases.size()) return c;
  const char32_t base = run->bases[c - run->first];
  return base == U'-' ? c : base;
}

/// The base of `c` in lower case.
constexpr char32_t lower_case(char32_t c) {
  const unicode_detail::lower_run* run = unicode_detail::find_run(unicode_detail::lower_runs, c);
  if (run == nullptr || c > run->last || (c - run->first) % run->step != 0) return c;
  return static_cast<char32_t>(static_cast<std::int32_t>(c) + run->offset);
}

}  // namespace rocmforge
